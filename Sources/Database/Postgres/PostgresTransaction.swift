import Postgres
import Synchronization

/// The body of a transaction on a PostgreSQL connection.
struct PostgresTransaction: SQLTransaction {
    private let session: PostgresSession
    private let withoutCopy: TableSet

    init(_ session: PostgresSession, withoutCopy: TableSet) {
        self.session = session
        self.withoutCopy = withoutCopy
    }

    var dialect: Dialect { .postgres }

    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow] {
        try translated {
            let result = try session.query(sql, arguments.map { PostgresValue($0) })
            let types = (0..<result.columnNames.count).map { result.typeOID($0) }
            return try (0..<result.rowCount).map { row in
                SQLRow(try types.enumerated().map { try SQLValue(result, row, $0, type: $1) })
            }
        }
    }

    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        try translated { try session.query(sql, arguments.map { PostgresValue($0) }).affectedRows }
    }

    func script(_ sql: String) throws {
        try translated { _ = try session.execute(sql) }
    }

    func insert(_ rows: some Collection<[SQLValue]>, into table: String, columns: [String]) throws {
        guard !rows.isEmpty else { return }
        if withoutCopy.contains(table) { return try insertWithoutCopy(Array(rows), into: table, columns: columns) }
        do {
            try copy(rows, into: table, columns: columns)
        } catch let error as DatabaseError where error.code == "0A000" {
            withoutCopy.insert(table)
            throw DatabaseError(kind: .conflict, code: error.code, message: error.message, advice: error.advice)
        }
    }

    /// PostgreSQL copies into no table whose row-level security binds the role, and a binary COPY converts nothing.
    private func insertWithoutCopy(_ rows: [[SQLValue]], into table: String, columns: [String]) throws {
        let types = try types(of: columns, in: table)
        try translated {
            _ = try session.query(
                """
                insert into \(table) (\(columns.joined(separator: ", ")))
                select \(types.enumerated().map { "fresh.c\($0)::\($1)" }.joined(separator: ", "))
                from \(Self.rowSource(columns.count)) as fresh
                """, Self.arrays(rows, count: columns.count))
        }
    }

    /// Rows as one array for each column, which the server puts together again.
    private static func rowSource(_ count: Int) -> String {
        let arrays = (0..<count).map { "$\($0 + 1)::text[]" }.joined(separator: ", ")
        let names = (0..<count).map { "c\($0)" }.joined(separator: ", ")
        return "(select * from unnest(\(arrays)) as source (\(names)))"
    }

    private static func arrays(_ rows: [[SQLValue]], count: Int) -> [PostgresValue] {
        (0..<count).map { column in
            var array = TextArrayBuffer()
            for row in rows { row[column].append(to: &array) }
            return array.value
        }
    }

    /// The types of columns without their lengths, which a cast would cut values to; the table itself refuses what is
    /// too long.
    private func types(of columns: [String], in table: String) throws -> [String] {
        let rows = try query(
            """
            select attname::text, format_type(atttypid, null) from pg_attribute
            where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
            """, [.text(table)])
        let types = Dictionary(rows.map { ($0.text(0) ?? "", $0.text(1) ?? "text") }, uniquingKeysWith: { $1 })
        return columns.map { types[$0] ?? "text" }
    }

    private func copy(_ rows: some Collection<[SQLValue]>, into table: String, columns: [String]) throws {
        try translated {
            _ = try session.copyIn(table, columns: columns) { buffer, types in
                var order = JSONMemberOrder()
                for row in rows {
                    try buffer.beginRow(columns: types.count)
                    for (value, type) in zip(row, types) { try value.append(to: &buffer, type: type, &order) }
                }
            }
        }
    }

    func update(_ rows: [(id: Int64, values: [SQLValue])], in table: String, columns: [String]) throws -> Int {
        guard !rows.isEmpty else { return 0 }
        let types = try types(of: columns, in: table)
        let assignments = columns.enumerated().map { "\($1) = fresh.c\($0 + 1)::\(types[$0])" }
        return try translated {
            try session.query(
                """
                update \(table) set \(assignments.joined(separator: ", "))
                from \(Self.rowSource(columns.count + 1)) as fresh where \(table).id = fresh.c0::bigint
                """, Self.arrays(rows.map { [.integer($0.id)] + $0.values }, count: columns.count + 1)
            ).affectedRows
        }
    }

    func reserveIDs(_ count: Int, in table: String) throws -> [Int64] {
        guard count > 0 else { return [] }
        return try query(
            """
            select nextval(sequence.name)
            from (select pg_get_serial_sequence($1, 'id')::regclass as name offset 0) as sequence, generate_series(1, $2::int)
            """,
            [.text(table), .integer(Int64(count))]
        ).compactMap { $0.int(0) }.sorted()
    }

    func notify(_ channel: String) throws {
        try send("select pg_notify(current_schema() || '.' || $1, '')", [.text(channel)])
    }

    func send(_ sql: String, _ arguments: [SQLValue]) throws {
        try translated { try session.enqueue(sql, arguments.map { PostgresValue($0) }) }
    }

    func savepoint<T>(_ body: () throws -> T) throws -> T {
        try translated { try session.savepoint(body) }
    }

    private func translated<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as PostgresError {
            throw DatabaseError(error)
        }
    }
}

/// The tables into which PostgreSQL does not copy what it is given; found out by trying, and remembered.
final class TableSet: Sendable {
    private let tables = Mutex<Set<String>>([])

    func contains(_ table: String) -> Bool { tables.withLock { $0.contains(table) } }

    func insert(_ table: String) { tables.withLock { _ = $0.insert(table) } }
}
