import Foundation

/// A range of IP addresses: `10.0.0.0/8`, `::1`.
package struct AddressRange: Sendable, Hashable {
    private let bytes: [UInt8]
    /// Bits that an address must share.
    private let prefix: Int

    /// This machine's own addresses.
    package static let loopback = [AddressRange(bytes: [127, 0, 0, 0], prefix: 8), AddressRange(bytes: localhost6)]

    private static let localhost6 = [UInt8](repeating: 0, count: 15) + [1]

    private init(bytes: [UInt8], prefix: Int? = nil) {
        self.bytes = bytes
        self.prefix = prefix ?? bytes.count * 8
    }

    /// Reads an address, or a range as `address/bits`; nil where it is neither.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.bytes(of: String(first)) else { return nil }
        guard parts.count == 2 else {
            self.init(bytes: bytes)
            return
        }
        guard let prefix = Int(parts[1]), (0...bytes.count * 8).contains(prefix) else { return nil }
        self.init(bytes: bytes, prefix: prefix)
    }

    /// Whether an address is in the range; false for what is no address.
    package func contains(_ address: String) -> Bool {
        guard let other = Self.bytes(of: address), other.count == bytes.count else { return false }
        return zip(bytes, other).enumerated().allSatisfy { index, pair in
            let bits = min(8, max(0, prefix - index * 8))
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> bits)
            return pair.0 & mask == pair.1 & mask
        }
    }

    private static func bytes(of address: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, address, &bytes) == 1 { return Array(bytes.prefix(4)) }
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return nil }
        // A socket for both families shows IPv4 addresses as ::ffff:192.0.2.1.
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        return bytes.starts(with: mapped) ? Array(bytes.suffix(4)) : bytes
    }
}
