import Logging
import Postgres
import Synchronization
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

/// What concurrent tasks note down, in the order in which they do.
final class Record<Entry: Sendable>: Sendable {
    private let noted = Mutex<[Entry]>([])
    var entries: [Entry] { noted.withLock { $0 } }

    func note(_ entry: Entry) {
        noted.withLock { $0.append(entry) }
    }
}
