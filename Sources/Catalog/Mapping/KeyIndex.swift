/// Finds what a JSON key feeds, by the key's raw bytes and without making a string of it.
///
/// A record has about 60 keys and a mirror maps a hundred thousand records a second, so that a dictionary of strings
/// would be the most expensive thing in the mapping.
struct KeyIndex<Target: Sendable>: Sendable {
    private struct Slot: Sendable {
        var key: [UInt8] = []
        var targets: [Target] = []
    }

    private var slots: [Slot]
    private let mask: Int

    init(_ entries: [(key: String, target: Target)]) {
        var capacity = 16
        while capacity < entries.count * 2 + 1 { capacity *= 2 }
        slots = Array(repeating: Slot(), count: capacity)
        mask = capacity - 1
        for entry in entries {
            let key = Array(entry.key.utf8)
            let index = key.withUnsafeBufferPointer { position(of: $0) }
            slots[index].key = key
            slots[index].targets.append(entry.target)
        }
    }

    /// What the key feeds; empty for a key that nothing is mapped from.
    subscript(key: UnsafeBufferPointer<UInt8>) -> [Target] {
        slots[position(of: key)].targets
    }

    /// The slot that holds the key, or the free one where it would stand.
    private func position(of key: UnsafeBufferPointer<UInt8>) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        var index = Int(truncatingIfNeeded: hash ^ (hash >> 32)) & mask
        while true {
            let candidate = slots[index].key
            if candidate.isEmpty || (candidate.count == key.count && candidate.elementsEqual(key)) { return index }
            index = (index + 1) & mask
        }
    }
}
