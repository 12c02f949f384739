/// A database that transactions run in: one SQLite file or one PostgreSQL schema.
///
/// Bodies are synchronous and run on the thread that owns the connection, so that a transaction is never held open
/// across a suspension and no blocking C call reaches the cooperative pool.
package protocol SQLDatabase: Sendable {
    var dialect: Dialect { get }

    /// How many transactions of a bulk load are worth running side by side.
    var writers: Int { get }

    /// Runs `body` in one transaction that commits when it returns and rolls back when it throws.
    ///
    /// In PostgreSQL the isolation level is read committed and a transaction that ends in a serialisation failure or a
    /// deadlock is run again, some times, so `body` must not have effects of its own.
    func write<T: Sendable>(
        _ durability: Durability, _ body: @Sendable (any SQLTransaction) throws -> T
    ) async throws -> T

    /// Runs `body` in one read-only transaction that sees a single state of the database.
    func read<T: Sendable>(_ body: @Sendable (any SQLTransaction) throws -> T) async throws -> T

    /// Yields once at the beginning, and then whenever a transaction that notified the channel has committed: one of
    /// this process or, on PostgreSQL, of any process on the same schema. Also after a lost connection, because
    /// something may have happened meanwhile.
    ///
    /// - Parameter channel: a lower-case word.
    func notifications(of channel: String) -> AsyncStream<Void>

    /// Closes every connection; later calls throw.
    func close() async
}

extension SQLDatabase {
    /// Runs `body` in one transaction of ``Durability/eventual`` durability.
    package func write<T: Sendable>(_ body: @Sendable (any SQLTransaction) throws -> T) async throws -> T {
        try await write(.eventual, body)
    }
}

/// What the body of a transaction can do.
///
/// Valid only inside that body.
package protocol SQLTransaction {
    var dialect: Dialect { get }

    /// Runs one statement and gives its rows. Parameters are written `$1`, `$2`, … in both dialects.
    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow]

    /// Runs one statement and gives the number of rows that it changed.
    @discardableResult
    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int

    /// Runs one statement of whose answer nothing is needed, with the next one or with the end of the transaction, where
    /// that saves a round trip. What is wrong with it may surface there.
    func send(_ sql: String, _ arguments: [SQLValue]) throws

    /// Runs a script of several statements without parameters.
    func script(_ sql: String) throws

    /// Inserts rows in bulk, by what the engine does fastest: COPY in PostgreSQL, one prepared statement in SQLite.
    ///
    /// All or nothing: inside ``savepoint(_:)`` a failing row leaves nothing of the call behind. Rows that are made one
    /// by one, by a lazy collection, need not be in memory together.
    func insert(_ rows: some Collection<[SQLValue]>, into table: String, columns: [String]) throws

    /// Updates rows in bulk by their `id`: each row holds the id and then the values of `columns`.
    ///
    /// - Returns: how many rows there were to update.
    @discardableResult
    func update(_ rows: [(id: Int64, values: [SQLValue])], in table: String, columns: [String]) throws -> Int

    /// Gives `count` fresh values for the table's `id` column, in ascending order.
    func reserveIDs(_ count: Int, in table: String) throws -> [Int64]

    /// Wakes those who listen to the channel once this transaction has committed; see
    /// ``SQLDatabase/notifications(of:)``.
    func notify(_ channel: String) throws

    /// Runs `body` in a savepoint: what it did stays when it returns and is undone when it throws.
    func savepoint<T>(_ body: () throws -> T) throws -> T
}

extension SQLTransaction {
    /// Runs one statement without parameters and gives its rows.
    package func query(_ sql: String) throws -> [SQLRow] { try query(sql, []) }

    /// Runs one statement without parameters and gives the number of rows that it changed.
    @discardableResult
    package func execute(_ sql: String) throws -> Int { try execute(sql, []) }

    /// Runs one statement without parameters of whose answer nothing is needed.
    package func send(_ sql: String) throws { try send(sql, []) }
}
