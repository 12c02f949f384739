/// A `text[]` that is put together element by element.
///
/// It travels in binary, so that nothing in it has to be escaped; cast the parameter: `$1::text[]`.
package struct TextArrayBuffer: Sendable {
    private var bytes: [UInt8]
    private var count: Int32 = 0
    private var hasNull = false

    /// The identifier of `text`, which is the same in every server.
    private static let textOID: Int32 = 25
    /// Dimensions, the mark for NULLs, the element's type, and the one dimension's length and lower bound.
    private static let headerLength = 20

    package init() {
        bytes = Array(repeating: 0, count: Self.headerLength)
    }

    /// The array as a parameter.
    package var value: PostgresValue {
        var array = bytes
        for (index, field) in [count == 0 ? 0 : 1, hasNull ? 1 : 0, Self.textOID, count, 1].enumerated() {
            withUnsafeBytes(of: field.bigEndian) { array.replaceSubrange(index * 4..<index * 4 + 4, with: $0) }
        }
        // An array without elements has no dimension.
        return .bytes(count == 0 ? Array(array.prefix(12)) : array)
    }

    /// Appends a NULL.
    package mutating func appendNull() {
        hasNull = true
        begin(length: -1)
    }

    /// Appends text, or anything that PostgreSQL reads from text.
    package mutating func append(text: String) {
        begin(length: text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    /// Appends text that is at hand as UTF-8.
    package mutating func append(bytes text: ArraySlice<UInt8>) {
        begin(length: text.count)
        bytes.append(contentsOf: text)
    }

    /// Appends the text from which PostgreSQL reads a `bytea`.
    package mutating func append(bytea: [UInt8]) {
        begin(length: 2 + 2 * bytea.count)
        bytes.append(contentsOf: #"\x"#.utf8)
        for byte in bytea {
            for nibble in [byte >> 4, byte & 15] {
                bytes.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
            }
        }
    }

    private mutating func begin(length: Int) {
        count += 1
        withUnsafeBytes(of: Int32(truncatingIfNeeded: length).bigEndian) { bytes.append(contentsOf: $0) }
    }
}
