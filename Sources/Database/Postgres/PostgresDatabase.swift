package import Logging
import Postgres
import Synchronization

/// One schema of a PostgreSQL database.
package final class PostgresDatabase: SQLDatabase {
    private let pool: PostgresPool
    private let withoutCopy = TableSet()
    private let configuration: PostgresConfiguration
    private let schema: String
    private let logger: Logger
    private let broadcast = Broadcast()
    private let listeners = Mutex<[String: Task<Void, Never>]>([:])

    package var dialect: Dialect { .postgres }

    /// A backend takes longer over a page than it takes to fetch and map one, so one backend would be the bottleneck.
    package var writers: Int { Self.writers }

    private static let writers = 3

    private init(_ configuration: PostgresConfiguration, schema: String, logger: Logger) {
        self.configuration = configuration
        self.schema = schema
        self.logger = logger
        pool = PostgresPool(configuration, limit: Self.writers + 2, logger: logger)
    }

    /// Connects, and makes the schema where there is none.
    ///
    /// Commits do not wait for the disk: cursors and rows are in the same log, so that a crash of the server loses the
    /// last moments as a whole, and the next run reads them again.
    package static func open(
        url: String, schema: String, access: DatabaseAccess, logger: Logger
    ) async throws -> PostgresDatabase {
        do {
            let configuration = try PostgresConfiguration(
                url: url,
                settings: [
                    "search_path": "\"\(schema.replacing("\"", with: "\"\""))\"", "synchronous_commit": "off",
                    "timezone": "UTC", "datestyle": "ISO, YMD", "bytea_output": "hex",
                    // Less than the time that a server has for its shutdown.
                    "lock_timeout": "15s", "idle_in_transaction_session_timeout": "120s",
                ])
            let database = PostgresDatabase(configuration, schema: schema, logger: logger)
            do {
                if access == .readWrite { try await database.makeSchema(schema) }
            } catch {
                await database.close()
                throw error
            }
            return database
        } catch let error as PostgresError {
            throw DatabaseError(error)
        }
    }

    private func makeSchema(_ schema: String) async throws {
        try await write { transaction in
            let exists = try transaction.query("select 1 from pg_namespace where nspname = $1", [.text(schema)])
            if exists.isEmpty {
                try transaction.lockSchema()
                try transaction.script("create schema if not exists \"\(schema.replacing("\"", with: "\"\""))\"")
            }
        }
    }

    package func write<T: Sendable>(
        _ durability: Durability, _ body: @Sendable (any SQLTransaction) throws -> T
    ) async throws -> T {
        var attempt = 1
        while true {
            do {
                return try await run("isolation level read committed") { transaction in
                    if durability == .immediate { try transaction.send("set local synchronous_commit to on") }
                    return try body(transaction)
                }
            } catch let error as DatabaseError where error.kind == .conflict && attempt < 8 {
                // Two that met once would meet again at the same pace.
                try await Task.sleep(for: .milliseconds(Int.random(in: 1...20) * attempt))
                attempt += 1
            }
        }
    }

    package func read<T: Sendable>(_ body: @Sendable (any SQLTransaction) throws -> T) async throws -> T {
        try await run("isolation level repeatable read, read only", body)
    }

    private func run<T: Sendable>(
        _ mode: String, _ body: @Sendable (any SQLTransaction) throws -> T
    ) async throws -> T {
        try await withoutActuallyEscaping(body) { body in
            do {
                return try await pool.withConnection { connection in
                    try await connection.run { session in
                        try session.transaction(mode) {
                            try body(PostgresTransaction(session, withoutCopy: withoutCopy))
                        }
                    }
                }
            } catch let error as PostgresError {
                throw DatabaseError.surfaced(DatabaseError(error))
            } catch {
                throw DatabaseError.surfaced(error)
            }
        }
    }

    package func notifications(of channel: String) -> AsyncStream<Void> {
        // One connection listens for all who follow a channel in this process.
        listeners.withLock { listeners in
            if listeners[channel] != nil { return broadcast.listen(to: channel) }
            // The stream exists before the listener tells it that it is connected.
            let stream = broadcast.listen(to: channel, isLate: false)
            let listener = PostgresListener(configuration, channels: ["\(schema).\(channel)"], logger: logger)
            listeners[channel] = Task { [broadcast] in
                for await _ in listener { broadcast.notify([channel]) }
            }
            return stream
        }
    }

    package func close() async {
        for listener in listeners.withLock({ $0.values.map(\.self) }) { listener.cancel() }
        broadcast.finish()
        await pool.close()
    }
}
