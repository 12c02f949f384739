package import Logging
import Postgres

/// One schema of a PostgreSQL database.
package final class PostgresDatabase: SQLDatabase {
    private let pool: PostgresPool
    private let isReadOnly: Bool

    package var dialect: Dialect { .postgres }

    /// A backend takes longer over a page than it takes to fetch and map one, so one backend would be the bottleneck.
    package var writers: Int { Self.writers }

    private static let writers = 3

    private init(pool: PostgresPool, isReadOnly: Bool) {
        self.pool = pool
        self.isReadOnly = isReadOnly
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
                    "lock_timeout": "30s", "idle_in_transaction_session_timeout": "120s",
                ])
            let pool = PostgresPool(configuration, limit: Self.writers + 2, logger: logger)
            let database = PostgresDatabase(pool: pool, isReadOnly: access == .readOnly)
            do {
                if access == .readWrite { try await database.makeSchema(schema) }
            } catch {
                await pool.close()
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

    package func write<T: Sendable>(_ body: @Sendable (any SQLTransaction) throws -> T) async throws -> T {
        var attempt = 1
        while true {
            do {
                return try await run("isolation level read committed", body)
            } catch let error as DatabaseError where error.kind == .conflict && attempt < 3 {
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
                        try session.transaction(mode) { try body(PostgresTransaction(session)) }
                    }
                }
            } catch let error as PostgresError {
                throw DatabaseError(error)
            }
        }
    }

    package func close() async {
        await pool.close()
    }
}
