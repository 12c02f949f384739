import Foundation
import ZohoBooks

extension RawJSON {
    /// The record as every database takes it: an escape that stands for no character that a text may have, which is half
    /// of a surrogate pair or `\u0000`, becomes `\ufffd`.
    ///
    /// PostgreSQL's `jsonb` refuses the whole record for it.
    var storable: RawJSON {
        guard hasUnicodeEscape else { return self }
        let text = Array(bytes)
        var output: [UInt8]?
        var index = 0
        while let start = text[index...].firstIndex(of: UInt8(ascii: "\\")) {
            index = min(start + 2, text.count)
            guard let unit = Self.unit(text, at: start) else { continue }
            switch unit {
            case 0xD800..<0xDC00:
                if let low = Self.unit(text, at: start + 6), (0xDC00..<0xE000).contains(low) {
                    index = start + 12
                    continue
                }
            case 0, 0xDC00..<0xE000: break
            default: continue
            }
            // As long as what it replaces, so that positions stay.
            output = output ?? text
            output?.replaceSubrange(start..<(start + 6), with: "\\ufffd".utf8)
        }
        return output.map { RawJSON($0[...]) } ?? self
    }

    /// Whether there is an escape `\uXXXX`, which few records have.
    private var hasUnicodeEscape: Bool {
        bytes.withUnsafeBytes { text in
            guard let base = text.baseAddress else { return false }
            var start = 0
            while start < text.count,
                let found = memchr(base + start, Int32(UInt8(ascii: "\\")), text.count - start)
            {
                let escaped = UnsafeRawPointer(found) - base + 1
                if escaped < text.count, text[escaped] == UInt8(ascii: "u") { return true }
                start = escaped + 1
            }
            return false
        }
    }

    /// The number that an escape `\uXXXX` at a position stands for; nil where there is none.
    private static func unit(_ text: [UInt8], at start: Int) -> UInt16? {
        guard start + 6 <= text.count, text[start] == UInt8(ascii: "\\"), text[start + 1] == UInt8(ascii: "u") else {
            return nil
        }
        return UInt16(String(decoding: text[(start + 2)..<(start + 6)], as: UTF8.self), radix: 16)
    }
}
