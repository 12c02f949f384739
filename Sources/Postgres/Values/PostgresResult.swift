import CLibPQ

/// The rows, or the count of affected rows, that a statement returned.
///
/// It lives only inside the body that asked for it. Rows and columns count from 0; an index that is out of range is a
/// programming error and traps, as with an array.
package final class PostgresResult {
    private let handle: OpaquePointer
    /// How many rows were returned.
    package let rowCount: Int
    /// How many columns each row has.
    package let columnCount: Int
    /// The columns' names, in order.
    package private(set) lazy var columnNames: [String] = (0..<columnCount).map { column in
        PQfname(handle, Int32(column)).map { String(cString: $0) } ?? ""
    }
    private lazy var columnsByName = Dictionary(
        columnNames.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })

    /// Takes the handle over.
    init(owning handle: OpaquePointer) {
        self.handle = handle
        rowCount = Int(PQntuples(handle))
        columnCount = Int(PQnfields(handle))
    }

    deinit {
        PQclear(handle)
    }

    /// How many rows the statement inserted, updated, deleted or selected.
    package var affectedRows: Int { Self.affectedRows(of: handle) }

    /// What the server says it did, such as `INSERT 0 5` or `COMMIT`.
    package var commandTag: String { Self.commandTag(of: handle) }

    static func affectedRows(of handle: OpaquePointer) -> Int {
        PQcmdTuples(handle).flatMap { Int(String(cString: $0)) } ?? 0
    }

    static func commandTag(of handle: OpaquePointer) -> String {
        PQcmdStatus(handle).map { String(cString: $0) } ?? ""
    }

    /// The index of the first column of this name, or nil.
    package func column(named name: String) -> Int? { columnsByName[name] }

    /// The object id of the column's type, for example 20 for `bigint`.
    package func typeOID(_ column: Int) -> UInt32 { PQftype(handle, Int32(column)) }

    /// Whether the value is NULL.
    package func isNull(_ row: Int, _ column: Int) -> Bool {
        withBytes(row, column) { $0 == nil }
    }

    /// The value's text in UTF-8, valid only inside `body`; nil for NULL.
    package func withBytes<R, E: Error>(
        _ row: Int, _ column: Int, _ body: (UnsafeBufferPointer<UInt8>?) throws(E) -> R
    ) throws(E) -> R {
        precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount, "no such row or column")
        guard PQgetisnull(handle, Int32(row), Int32(column)) == 0,
            let value = PQgetvalue(handle, Int32(row), Int32(column))
        else { return try body(nil) }
        let bytes = UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(handle, Int32(row), Int32(column))))
        return try body(bytes.assumingMemoryBound(to: UInt8.self))
    }

    /// The value's text, or nil for NULL.
    package func string(_ row: Int, _ column: Int) -> String? {
        withBytes(row, column) { $0.map { String(decoding: $0, as: UTF8.self) } }
    }

    /// The value's text in UTF-8, or nil for NULL.
    package func utf8(_ row: Int, _ column: Int) -> [UInt8]? {
        withBytes(row, column) { $0.map { Array($0) } }
    }

    /// The value as an integer, or nil for NULL.
    ///
    /// - Throws: `usage` when it is none.
    package func int64(_ row: Int, _ column: Int) throws(PostgresError) -> Int64? {
        try decode(row, column, as: "an integer") { Int64(String(decoding: $0, as: UTF8.self)) }
    }

    /// The value as a binary floating-point number, or nil for NULL; not for money.
    ///
    /// - Throws: `usage` when it is none.
    package func double(_ row: Int, _ column: Int) throws(PostgresError) -> Double? {
        try decode(row, column, as: "a number") { Double(String(decoding: $0, as: UTF8.self)) }
    }

    /// The value as a boolean, or nil for NULL.
    ///
    /// - Throws: `usage` when it is none.
    package func bool(_ row: Int, _ column: Int) throws(PostgresError) -> Bool? {
        try decode(row, column, as: "a boolean") { text in
            switch text.first {
            case UInt8(ascii: "t") where text.count == 1: true
            case UInt8(ascii: "f") where text.count == 1: false
            default: nil
            }
        }
    }

    /// The value of a `bytea`, or nil for NULL.
    ///
    /// - Throws: `usage` when it is none.
    package func bytes(_ row: Int, _ column: Int) throws(PostgresError) -> [UInt8]? {
        try decode(row, column, as: "a bytea", Self.bytes(ofHex:))
    }

    private func decode<T>(
        _ row: Int, _ column: Int, as type: String, _ decode: (UnsafeBufferPointer<UInt8>) -> T?
    ) throws(PostgresError) -> T? {
        try withBytes(row, column) { bytes throws(PostgresError) in
            guard let bytes else { return nil }
            if let value = decode(bytes) { return value }
            throw PostgresError(.usage, "The value of column \(columnNames[column]) is not \(type)")
        }
    }

    private static func bytes(ofHex text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard text.starts(with: #"\x"#.utf8), text.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2 - 1)
        for index in stride(from: 2, to: text.count, by: 2) {
            guard let high = nibble(text[index]), let low = nibble(text[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
