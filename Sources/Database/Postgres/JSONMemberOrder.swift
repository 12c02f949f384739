/// Puts the members of JSON objects into the order in which `jsonb` keeps them: by the length of their keys, then by the
/// keys' bytes.
///
/// A server that is sent them so finds nothing to sort, which is a quarter of what reading a wide record costs it. What
/// it stores is the same. Records of one list have their members in few orders, so that each is found once.
struct JSONMemberOrder {
    private struct Member {
        /// Where the key begins, behind its quotation mark.
        let key: Int
        let keyLength: Int
        let end: Int
    }

    private var members: [Member] = []
    /// The orders that were found last, the newest first.
    private var orders: [[Int]] = []
    private var sorted: [UInt8] = []

    /// Below this, there is nothing to be gained.
    private static let minimumLength = 200
    /// More are not remembered.
    private static let maximumOrders = 4

    /// The same object with its members in order; what is no object without white space, or has keys with escapes, as
    /// it is.
    mutating func ordered(_ json: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard json.count >= Self.minimumLength else { return json }
        return json.withUnsafeBufferPointer { text in
            guard findMembers(text) else { return json }
            let order = knownOrder(text) ?? newOrder(text)
            sorted.removeAll(keepingCapacity: true)
            sorted.reserveCapacity(text.count)
            for position in order {
                let (start, end) = (members[position].key - 1, members[position].end)
                sorted.append(sorted.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
                sorted.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<end]))
            }
            sorted.append(UInt8(ascii: "}"))
            return sorted[...]
        }
    }

    private func knownOrder(_ text: UnsafeBufferPointer<UInt8>) -> [Int]? {
        orders.first { isInOrder($0, text) }
    }

    private mutating func newOrder(_ text: UnsafeBufferPointer<UInt8>) -> [Int] {
        let members = members
        let order = members.indices.sorted { Self.ascend(members[$0], members[$1], $0 < $1, text) }
        if orders.count == Self.maximumOrders { orders.removeLast() }
        orders.insert(order, at: 0)
        return order
    }

    /// Whether an order that was found for another object is this one's too.
    private func isInOrder(_ order: [Int], _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard order.count == members.count else { return false }
        for index in 1..<max(1, order.count) {
            let (a, b) = (order[index - 1], order[index])
            if !Self.ascend(members[a], members[b], a < b, text) { return false }
        }
        return true
    }

    /// Members of the same key stay as they are: the last one counts.
    @inline(__always)
    private static func ascend(
        _ a: Member, _ b: Member, _ isBefore: Bool, _ text: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        guard a.keyLength == b.keyLength else { return a.keyLength < b.keyLength }
        for offset in 0..<a.keyLength {
            let (left, right) = (text[a.key + offset], text[b.key + offset])
            if left != right { return left < right }
        }
        return isBefore
    }

    /// Finds the members of an object; false for anything else.
    private mutating func findMembers(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        members.removeAll(keepingCapacity: true)
        guard text.first == UInt8(ascii: "{"), text.last == UInt8(ascii: "}") else { return false }
        var scan = Scan(text: text, index: 1)
        while true {
            let key = scan.index + 1
            guard scan.next == UInt8(ascii: "\""), scan.skipString(), !scan.hasEscape else { return false }
            let keyLength = scan.index - key - 1
            guard scan.next == UInt8(ascii: ":") else { return false }
            scan.index += 1
            guard scan.skipValue() else { return false }
            members.append(Member(key: key, keyLength: keyLength, end: scan.index))
            if scan.next == UInt8(ascii: "}") { return scan.index == text.count - 1 }
            guard scan.next == UInt8(ascii: ",") else { return false }
            scan.index += 1
        }
    }
}

/// Steps over JSON that is taken to be right: the server refuses what is not, in any order.
private struct Scan {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let quotes = ones &* 0x22
    private static let slashes = ones &* 0x5C

    let text: UnsafeBufferPointer<UInt8>
    var index: Int
    /// Whether the last string has an escape.
    var hasEscape = false

    var next: UInt8 { index < text.count ? text[index] : 0 }

    /// Steps over a string.
    mutating func skipString() -> Bool {
        hasEscape = false
        index += 1
        let bytes = UnsafeRawBufferPointer(text)
        while index + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let (quotes, slashes) = (word ^ Self.quotes, word ^ Self.slashes)
            let found = (((quotes &- Self.ones) & ~quotes) | ((slashes &- Self.ones) & ~slashes)) & (Self.ones << 7)
            guard found == 0 else {
                // Exact up to the first that is found.
                index += UInt64(littleEndian: found).trailingZeroBitCount / 8
                break
            }
            index += 8
        }
        while index < text.count {
            let byte = text[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\") {
                hasEscape = true
                index += 1
            }
        }
        return false
    }

    /// Steps over a value, up to the comma or bracket behind it.
    mutating func skipValue() -> Bool {
        var depth = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\""):
                guard skipString() else { return false }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return true }
                depth -= 1
            case UInt8(ascii: ","):
                if depth == 0 { return true }
            default: break
            }
            index += 1
        }
        return false
    }
}
