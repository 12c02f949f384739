/// A value for a `$n` of a statement or for a column of a COPY.
///
/// Values travel as text whose type the server takes from where they stand (`text` for a column of text, `numeric` for
/// one of numeric); where it cannot, cast in the statement: `$1::bigint`.
package enum PostgresValue: Sendable, Hashable {
    /// NULL.
    case null
    /// Text, or anything that PostgreSQL reads from text: a date, a decimal, JSON.
    case text(String)
    /// The same as `text`, from UTF-8 that is at hand already.
    case utf8(ArraySlice<UInt8>)
    /// An integer of any size up to `bigint`.
    case integer(Int64)
    /// A boolean.
    case boolean(Bool)
    /// A `bytea`; it travels in binary, so the parameter must be one: cast with `$1::bytea` where it is not obvious.
    case bytes([UInt8])
    /// A one-dimensional `text[]`, with nil for NULL; cast for other element types: `$1::text[]::numeric[]`.
    case textArray([String?])
}

extension PostgresValue {
    /// Whether text, as opposed to binary, holds a NUL byte.
    var holdsNUL: Bool {
        switch self {
        case .text(let text): text.utf8.contains(0)
        case .utf8(let text): text.contains(0)
        case .textArray(let elements): elements.contains { $0?.utf8.contains(0) ?? false }
        case .null, .integer, .boolean, .bytes: false
        }
    }

    /// Appends `{"a",NULL,"b \"quoted\""}`.
    static func appendArrayLiteral(of elements: [String?], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            guard let element else {
                bytes.append(contentsOf: "NULL".utf8)
                continue
            }
            bytes.append(UInt8(ascii: "\""))
            for byte in element.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
    }
}
