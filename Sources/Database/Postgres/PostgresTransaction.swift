import Postgres

/// The body of a transaction on a PostgreSQL connection.
struct PostgresTransaction: SQLTransaction {
    private let session: PostgresSession

    init(_ session: PostgresSession) {
        self.session = session
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

    func insert(_ rows: [[SQLValue]], into table: String, columns: [String]) throws {
        try translated {
            _ = try session.copyIn("copy \(table) (\(columns.joined(separator: ", "))) from stdin") { buffer in
                for row in rows {
                    for value in row { value.append(to: &buffer) }
                    try buffer.endRow()
                }
            }
        }
    }

    func update(_ rows: [(id: Int64, values: [SQLValue])], in table: String, columns: [String]) throws {
        let assignments = columns.enumerated().map { "\($1) = $\($0 + 2)" }.joined(separator: ", ")
        let sql = "update \(table) set \(assignments) where id = $1"
        try translated {
            _ = try session.pipeline(
                rows.map { row in
                    (sql: sql, parameters: [.integer(row.id)] + row.values.map { PostgresValue($0) })
                })
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
        _ = try query("select pg_notify(current_schema() || '.' || $1, '')", [.text(channel)])
    }

    func savepoint<T>(_ body: () throws -> T) throws -> T {
        try script("savepoint batch")
        do {
            let value = try body()
            try script("release savepoint batch")
            return value
        } catch {
            try script("rollback to savepoint batch; release savepoint batch")
            throw error
        }
    }

    private func translated<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as PostgresError {
            throw DatabaseError(error)
        }
    }
}
