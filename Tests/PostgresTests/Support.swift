import Logging
import Postgres
import TestSupport

extension TestDatabase {
    /// A connection to this database.
    func connect(settings: [String: String] = [:]) async throws -> PostgresConnection {
        try await PostgresConnection.open(
            PostgresConfiguration(url: url, settings: settings), logger: Logger(label: "test.postgres"))
    }
}

/// Runs a body on a connection to a database of its own.
func withSession<T: Sendable>(_ body: @Sendable (PostgresSession) throws -> T) async throws -> T {
    try await PostgresServer.withDatabase { database in
        try await database.connect().run(body)
    }
}
