/// The pairs of a query string or of a body of the type `application/x-www-form-urlencoded`, decoded.
package struct FormPairs: Sendable, Hashable {
    package struct Pair: Sendable, Hashable {
        package let key: String
        package let value: String
    }

    package let pairs: [Pair]

    package init(_ text: some StringProtocol) {
        pairs = text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return Pair(key: Self.decoded(parts[0]), value: parts.count == 2 ? Self.decoded(parts[1]) : "")
        }
    }

    /// The first value of a key.
    package subscript(_ key: String) -> String? { pairs.first { $0.key == key }?.value }

    /// A plus is a space; what is no escape stands for itself.
    private static func decoded(_ text: some StringProtocol) -> String {
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%"), index + 2 < bytes.count, let high = nibble(bytes[index + 1]),
                let low = nibble(bytes[index + 2])
            {
                output.append(high << 4 | low)
                index += 3
                continue
            }
            output.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            index += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
