import GRDB
import GRDBSQLite

/// The body of a transaction on a SQLite connection.
struct SQLiteTransaction: SQLTransaction {
    private let database: GRDB.Database
    private let notifications: PendingNotifications

    init(_ database: GRDB.Database, notifications: PendingNotifications = PendingNotifications()) {
        self.database = database
        self.notifications = notifications
    }

    var dialect: Dialect { .sqlite }

    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow] {
        try run(sql, arguments) { statement in
            let count = sqlite3_column_count(statement.sqliteStatement)
            var rows: [SQLRow] = []
            while try step(statement) {
                rows.append(SQLRow((0..<count).map { SQLValue(statement.sqliteStatement, column: $0) }))
            }
            return rows
        }
    }

    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        try run(sql, arguments) { statement in
            while try step(statement) {}
            return database.changesCount
        }
    }

    func send(_ sql: String, _ arguments: [SQLValue]) throws { _ = try execute(sql, arguments) }

    func script(_ sql: String) throws {
        do {
            try database.execute(sql: sql)
        } catch {
            throw DatabaseError.translated(error)
        }
    }

    func insert(_ rows: some Collection<[SQLValue]>, into table: String, columns: [String]) throws {
        let placeholders = (1...columns.count).map { "?\($0)" }.joined(separator: ", ")
        try runEach(
            "insert into \(table) (\(columns.joined(separator: ", "))) values (\(placeholders))", rows: rows)
    }

    func update(_ rows: [(id: Int64, values: [SQLValue])], in table: String, columns: [String]) throws -> Int {
        let assignments = columns.enumerated().map { "\($1) = ?\($0 + 2)" }.joined(separator: ", ")
        return try runEach(
            "update \(table) set \(assignments) where id = ?1", rows: rows.lazy.map { [.integer($0.id)] + $0.values })
    }

    func reserveIDs(_ count: Int, in table: String) throws -> [Int64] {
        guard count > 0 else { return [] }
        // The only writer is this transaction, and AUTOINCREMENT remembers the highest id ever used.
        let used =
            try query(
                """
                select max(coalesce((select max(id) from \(table)), 0),
                    coalesce((select seq from sqlite_sequence where name = $1), 0))
                """, [.text(table)]
            ).first?.int(0) ?? 0
        return Array((used + 1)...(used + Int64(count)))
    }

    func notify(_ channel: String) {
        notifications.channels.insert(channel)
    }

    func savepoint<T>(_ body: () throws -> T) throws -> T {
        try script("savepoint batch")
        do {
            let value = try body()
            try script("release batch")
            return value
        } catch {
            // A full disk ends the whole transaction, and its savepoints with it.
            if sqlite3_get_autocommit(database.sqliteConnection) == 0 {
                try script("rollback to batch; release batch")
            }
            throw error
        }
    }

    // MARK: - Statements

    /// - Returns: how many rows were changed.
    @discardableResult
    private func runEach(_ sql: String, rows: some Sequence<[SQLValue]>) throws -> Int {
        try Task.checkCancellation()
        var changed = 0
        do {
            let statement = try database.cachedStatement(sql: sql)
            defer { reset(statement) }
            for row in rows {
                try bind(row, to: statement)
                while try step(statement) {}
                sqlite3_reset(statement.sqliteStatement)
                changed += database.changesCount
            }
        } catch {
            throw DatabaseError.translated(error)
        }
        return changed
    }

    private func run<T>(_ sql: String, _ arguments: [SQLValue], _ body: (Statement) throws -> T) throws -> T {
        // GRDB interrupts a statement, and looks for the cancellation of the task where it steps itself.
        try Task.checkCancellation()
        do {
            let statement = try database.cachedStatement(sql: PlaceholderCache.sqlite(sql))
            defer { reset(statement) }
            try bind(arguments, to: statement)
            return try body(statement)
        } catch {
            throw DatabaseError.translated(error)
        }
    }

    private func reset(_ statement: Statement) {
        sqlite3_reset(statement.sqliteStatement)
        sqlite3_clear_bindings(statement.sqliteStatement)
    }

    private func step(_ statement: Statement) throws -> Bool {
        switch sqlite3_step(statement.sqliteStatement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw DatabaseError(sqliteConnection: sqlite3_db_handle(statement.sqliteStatement))
        }
    }

    /// Binds without GRDB's intermediate values, which cost more than the insert itself.
    private func bind(_ values: [SQLValue], to statement: Statement) throws {
        let handle = statement.sqliteStatement
        for (offset, value) in values.enumerated() {
            let code = value.bind(to: handle, at: Int32(offset + 1))
            guard code == SQLITE_OK else { throw DatabaseError(sqliteConnection: sqlite3_db_handle(handle)) }
        }
    }
}
