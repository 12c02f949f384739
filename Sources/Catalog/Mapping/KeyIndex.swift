/// Finds what a JSON key feeds, by the key's raw bytes and without making a string of it.
///
/// A record has about 60 keys and a mirror maps a hundred thousand records a second, so that a dictionary of strings
/// would be the most expensive thing in the mapping.
struct KeyIndex<Target: Sendable>: Sendable {
    private struct Slot: Sendable {
        var hash: UInt64 = 0
        /// Where the key stands in `keys`; empty for a free slot.
        var key = 0..<0
        var targets = 0..<0
    }

    private var slots: [Slot]
    private var keys: [UInt8] = []
    private(set) var targets: [Target] = []
    private let mask: Int

    init(_ entries: [(key: String, target: Target)]) {
        var capacity = 16
        while capacity < entries.count * 2 + 1 { capacity *= 2 }
        slots = Array(repeating: Slot(), count: capacity)
        mask = capacity - 1
        for (key, entries) in Dictionary(grouping: entries, by: \.key) {
            let bytes = Array(key.utf8)
            bytes.withUnsafeBufferPointer { buffer in
                let hash = Self.hash(buffer)
                let start = keys.count
                keys += bytes
                targets += entries.map(\.target)
                slots[position(of: buffer, hash: hash)] = Slot(
                    hash: hash, key: start..<keys.count, targets: (targets.count - entries.count)..<targets.count)
            }
        }
    }

    /// Where in ``targets`` stands what the key feeds; empty for a key that nothing is mapped from.
    subscript(key: UnsafeBufferPointer<UInt8>) -> Range<Int> {
        slots[position(of: key, hash: Self.hash(key))].targets
    }

    /// The slot that holds the key, or the free one where it would stand.
    private func position(of key: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Int {
        var index = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = slots[index]
            if slot.key.isEmpty || (slot.hash == hash && isEqual(key, slot.key)) { return index }
            index = (index + 1) & mask
        }
    }

    private func isEqual(_ key: UnsafeBufferPointer<UInt8>, _ stored: Range<Int>) -> Bool {
        guard key.count == stored.count else { return false }
        for offset in 0..<key.count where keys[stored.lowerBound + offset] != key[offset] { return false }
        return true
    }

    /// FNV-1a over words of eight bytes, folded so that the low bits depend on all of them.
    private static func hash(_ key: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let bytes = UnsafeRawBufferPointer(key)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(truncatingIfNeeded: key.count)
        var offset = 0
        while offset + 8 <= bytes.count {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 32
            offset += 8
        }
        while offset < bytes.count {
            hash = (hash ^ UInt64(bytes[offset])) &* 0x9e37_79b9_7f4a_7c15
            offset += 1
        }
        return hash ^ (hash >> 32)
    }
}
