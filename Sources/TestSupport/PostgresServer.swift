import Foundation
import Logging
import Postgres
import Synchronization

/// A private PostgreSQL server for the tests of this process.
///
/// The first test that needs it starts it, in a temporary folder and on a free port of 127.0.0.1; it stops, and the
/// folder goes, when the process ends in whatever way.
package struct PostgresServer: Sendable {
    private let port: Int
    private let admin: PostgresConnection
    private static let shared = Task { try await start() }
    private static let databases = Atomic(0)

    /// Makes a new, empty database.
    ///
    /// The caller drops it; `withDatabase` does both.
    package static func makeDatabase() async throws -> TestDatabase {
        let server = try await shared.value
        let name = "test_\(databases.add(1, ordering: .relaxed).newValue)"
        try await server.admin.run { try $0.execute("CREATE DATABASE \(name)") }
        return TestDatabase(url: server.url(of: name), name: name, admin: server.admin)
    }

    /// Runs a test in a database of its own.
    package static func withDatabase<T>(_ body: (TestDatabase) async throws -> T) async throws -> T {
        let database = try await makeDatabase()
        do {
            let value = try await body(database)
            try await database.drop()
            return value
        } catch {
            try? await database.drop()
            throw error
        }
    }

    /// Runs a test with a server of its own, which it may stop and start again.
    package static func withStoppable<T>(_ body: (StoppablePostgres) async throws -> T) async throws -> T {
        let process = try await PostgresProcess.start(try PostgresBinaries.find())
        defer { process.end() }
        return try await body(StoppablePostgres(process: process))
    }

    private func url(of database: String) -> String {
        "postgres://postgres@127.0.0.1:\(port)/\(database)"
    }

    private static func start() async throws -> PostgresServer {
        let process = try await PostgresProcess.start(try PostgresBinaries.find())
        let url = "postgres://postgres@127.0.0.1:\(process.port)/postgres"
        let admin = try await PostgresConnection.open(
            PostgresConfiguration(url: url), logger: Logger(label: "test.postgres"))
        return PostgresServer(port: process.port, admin: admin)
    }
}

/// A database of the tests' server.
package struct TestDatabase: Sendable {
    /// `postgres://…` without a password: the server trusts every connection over loopback.
    package let url: String
    fileprivate let name: String
    fileprivate let admin: PostgresConnection

    /// Drops the database and whatever connections it still has.
    package func drop() async throws {
        let name = name
        // In a task of its own, so that a cancelled test too leaves nothing behind.
        try await Task { [admin] in
            try await admin.run { try $0.execute("DROP DATABASE IF EXISTS \(name) WITH (FORCE)") }
        }.value
    }
}

/// A server that one test may stop.
package struct StoppablePostgres: Sendable {
    fileprivate let process: PostgresProcess

    /// Its database `postgres`.
    package var url: String { "postgres://postgres@127.0.0.1:\(process.port)/postgres" }

    /// Kills it, as a crash does.
    package func stop() async throws { try await process.tell("stop") }

    /// Makes it write to the disk late, so that a crash loses what was committed last.
    package func delayWriting() async throws {
        try await execute(["ALTER SYSTEM SET wal_writer_delay = '10s'", "SELECT pg_reload_conf()"])
    }

    /// Runs statements as the superuser, each in a transaction of its own, if in any.
    package func execute(_ statements: [String]) async throws {
        let admin = try await PostgresConnection.open(
            PostgresConfiguration(url: url), logger: Logger(label: "test.postgres"))
        for statement in statements { try await admin.run { _ = try $0.execute(statement) } }
        await admin.close()
    }

    /// Makes it hang while `body` runs: it accepts connections and statements and answers none.
    package func hanging<T>(_ body: () async throws -> T) async throws -> T {
        try await process.tell("freeze")
        do {
            let value = try await body()
            try await process.tell("thaw")
            return value
        } catch {
            try await process.tell("thaw")
            throw error
        }
    }

    /// Starts it again on the same data.
    package func start() async throws { try await process.tell("start") }
}

/// Why the tests have no PostgreSQL.
package struct PostgresServerError: Error, CustomStringConvertible {
    /// What is wrong and what to do.
    package let description: String
}
