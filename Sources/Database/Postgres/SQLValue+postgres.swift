import Postgres

extension PostgresValue {
    /// A value as a parameter; its type follows from where it stands.
    init(_ value: SQLValue) {
        switch value {
        case .null: self = .null
        case .integer(let integer): self = .integer(integer)
        case .text(let text), .decimal(let text), .date(let text): self = .text(text)
        case .boolean(let flag): self = .boolean(flag)
        case .instant(let instant): self = .text(Timestamp.text(instant))
        case .json(let bytes): self = .utf8(bytes)
        case .bytes(let bytes): self = .bytes(bytes)
        case .texts(let texts): self = .textArray(texts)
        case .integers(let integers): self = .text("{\(integers.map(String.init).joined(separator: ","))}")
        }
    }
}

extension SQLValue {
    /// Appends the value as a column of a COPY.
    ///
    /// - Parameters:
    ///   - type: the column's type.
    ///   - order: what is known of the order of JSON members.
    /// - Throws: with the code `0A000` where such a value cannot be copied into such a column.
    func append(to buffer: inout CopyBuffer, type: UInt32, _ order: inout JSONMemberOrder) throws {
        switch (self, type) {
        case (.null, _): buffer.appendNull()
        case (.text(let text), TypeOID.text), (.text(let text), TypeOID.varchar): buffer.append(text: text)
        case (.json(let bytes), TypeOID.jsonb): buffer.append(jsonb: order.ordered(bytes))
        case (.decimal(let digits), TypeOID.numeric): try buffer.append(numeric: digits)
        case (.integer(let integer), TypeOID.int8): buffer.append(integer: integer)
        case (.boolean(let flag), TypeOID.bool): buffer.append(bool: flag)
        case (.instant(let instant), TypeOID.timestamptz): buffer.append(instant: instant)
        case (.date(let date), TypeOID.date):
            guard let days = Timestamp.days(date) else {
                throw DatabaseError(kind: .record, code: "22008", message: "\(date) is not a date", advice: "")
            }
            buffer.append(date: days)
        case (.bytes(let bytes), TypeOID.bytea): buffer.append(bytes: bytes[...])
        default:
            throw DatabaseError(
                kind: .record, code: "0A000", message: "a column has another type than its values", advice: "")
        }
    }

    /// Appends the value as an element of an array.
    func append(to array: inout TextArrayBuffer) {
        switch self {
        case .null: array.appendNull()
        case .integer(let integer): array.append(text: String(integer))
        case .text(let text), .decimal(let text), .date(let text): array.append(text: text)
        case .boolean(let flag): array.append(text: flag ? "t" : "f")
        case .instant(let instant): array.append(text: Timestamp.text(instant))
        case .json(let bytes): array.append(bytes: bytes)
        case .bytes(let bytes): array.append(bytea: bytes)
        case .texts(let texts): array.append(text: JSONArray.text(texts))
        case .integers(let integers): array.append(text: "[\(integers.map(String.init).joined(separator: ","))]")
        }
    }

    /// Reads a column of a result by the type that the server gave it.
    init(_ result: PostgresResult, _ row: Int, _ column: Int, type: UInt32) throws {
        guard let text = result.string(row, column) else {
            self = .null
            return
        }
        switch type {
        case TypeOID.bool: self = .boolean(text == "t")
        case TypeOID.int2, TypeOID.int4, TypeOID.int8: self = Int64(text).map { .integer($0) } ?? .text(text)
        case TypeOID.numeric: self = .decimal(text.withoutTrailingZeros)
        case TypeOID.timestamptz: self = Timestamp.instant(text).map { .instant($0) } ?? .text(text)
        case TypeOID.date: self = .date(text)
        case TypeOID.json, TypeOID.jsonb: self = .json(ArraySlice(text.utf8))
        case TypeOID.bytea: self = try result.bytes(row, column).map { .bytes($0) } ?? .null
        default: self = .text(text)
        }
    }

    /// The identifiers of PostgreSQL's built-in types, which are the same in every server.
    private enum TypeOID {
        static let bool: UInt32 = 16
        static let bytea: UInt32 = 17
        static let int8: UInt32 = 20
        static let int2: UInt32 = 21
        static let int4: UInt32 = 23
        static let text: UInt32 = 25
        static let json: UInt32 = 114
        static let varchar: UInt32 = 1_043
        static let date: UInt32 = 1_082
        static let timestamptz: UInt32 = 1_184
        static let numeric: UInt32 = 1_700
        static let jsonb: UInt32 = 3_802
    }
}

extension String {
    /// `42.50` as `42.5`; PostgreSQL keeps the zeros with which a number was written.
    fileprivate var withoutTrailingZeros: String {
        guard utf8.contains(UInt8(ascii: ".")) else { return self }
        var digits = self[...]
        while digits.last == "0" { digits = digits.dropLast() }
        if digits.last == "." { digits = digits.dropLast() }
        return String(digits)
    }
}
