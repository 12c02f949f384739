import GRDBSQLite

extension SQLValue {
    /// Tells SQLite to copy what it is given.
    private static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    /// Binds the value to a parameter and gives SQLite's result code.
    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch self {
        case .null: sqlite3_bind_null(statement, index)
        case .integer(let value): sqlite3_bind_int64(statement, index, value)
        case .boolean(let value): sqlite3_bind_int64(statement, index, value ? 1 : 0)
        case .text(let text), .decimal(let text), .date(let text): Self.bind(text, statement, index)
        case .instant(let instant): Self.bind(Timestamp.text(instant), statement, index)
        case .json(let bytes): Self.bind(bytes, statement, index)
        case .bytes(let bytes):
            bytes.withUnsafeBytes {
                sqlite3_bind_blob64(statement, index, $0.baseAddress, UInt64($0.count), Self.transient)
            }
        case .texts(let texts): Self.bind(JSONArray.text(texts), statement, index)
        case .integers(let integers):
            Self.bind("[\(integers.map(String.init).joined(separator: ","))]", statement, index)
        }
    }

    private static func bind(_ text: String, _ statement: OpaquePointer, _ index: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                sqlite3_bind_text64(
                    statement, index, $0.baseAddress, UInt64($0.count), transient, UInt8(SQLITE_UTF8))
            }
        }
    }

    private static func bind(_ bytes: ArraySlice<UInt8>, _ statement: OpaquePointer, _ index: Int32) -> Int32 {
        bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                sqlite3_bind_text64(
                    statement, index, $0.baseAddress, UInt64($0.count), transient, UInt8(SQLITE_UTF8))
            }
        }
    }

    /// Reads a column of the statement's current row.
    init(_ statement: OpaquePointer, column: Int32) {
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER:
            self = .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT, SQLITE_TEXT:
            let count = Int(sqlite3_column_bytes(statement, column))
            let bytes = UnsafeBufferPointer(start: sqlite3_column_text(statement, column), count: count)
            self = .text(String(decoding: bytes, as: UTF8.self))
        case SQLITE_BLOB:
            let count = Int(sqlite3_column_bytes(statement, column))
            self = .bytes(Array(UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, column), count: count)))
        default:
            self = .null
        }
    }
}

/// A JSON array of strings, as `json_each` reads it.
enum JSONArray {
    static func text(_ strings: [String]) -> String {
        var output = "["
        for (index, string) in strings.enumerated() {
            if index > 0 { output += "," }
            output += "\""
            for scalar in string.unicodeScalars {
                switch scalar {
                case "\"", "\\":
                    output += "\\"
                    output.unicodeScalars.append(scalar)
                case "\u{0}"..."\u{1F}":
                    let hex = String(scalar.value, radix: 16)
                    output += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                default: output.unicodeScalars.append(scalar)
                }
            }
            output += "\""
        }
        return output + "]"
    }
}
