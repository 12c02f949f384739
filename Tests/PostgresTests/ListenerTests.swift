import Logging
import TestSupport
import Testing

@testable import Postgres

@Suite("Listener")
struct ListenerTests {
    @Test("Notifications arrive in order, with channel and payload, from every channel listened to")
    func inOrder() async throws {
        try await PostgresServer.withDatabase { database in
            let sender = try await database.connect()
            var events = try listener(database).makeAsyncIterator()
            #expect(await events.next() == .connected)
            try await sender.run { session in
                try session.execute("NOTIFY inbox, 'one'; NOTIFY other, 'unheard'; NOTIFY \"odd \"\"name\"")
                try session.execute("NOTIFY inbox, 'two'")
            }
            #expect(await events.next() == .notification(PostgresNotification(channel: "inbox", payload: "one")))
            #expect(await events.next() == .notification(PostgresNotification(channel: "odd \"name", payload: "")))
            #expect(await events.next() == .notification(PostgresNotification(channel: "inbox", payload: "two")))
        }
    }

    @Test("A listener that loses its connection connects again and says so")
    func reconnects() async throws {
        try await PostgresServer.withDatabase { database in
            let sender = try await database.connect()
            var events = try listener(database).makeAsyncIterator()
            #expect(await events.next() == .connected)
            try await sender.run { session in
                _ = try session.query(
                    """
                    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                    """)
            }
            #expect(await events.next() == .connected)
            try await sender.run { try $0.execute("NOTIFY inbox, 'again'") }
            #expect(await events.next() == .notification(PostgresNotification(channel: "inbox", payload: "again")))
        }
    }

    @Test("A cancelled task ends its listener")
    func cancelled() async throws {
        try await PostgresServer.withDatabase { database in
            let listener = try listener(database)
            let connected = AsyncStream.makeStream(of: Void.self)
            let task = Task {
                for await _ in listener { connected.continuation.yield() }
            }
            for await _ in connected.stream { break }
            task.cancel()
            await task.value
        }
    }

    private func listener(_ database: TestDatabase) throws -> PostgresListener {
        try PostgresListener(
            PostgresConfiguration(url: database.url), channels: ["inbox", "odd \"name"], clock: ImpatientClock(),
            logger: Logger(label: "test.postgres"))
    }
}

/// A clock on which every pause is over at once.
private struct ImpatientClock: Clock {
    var now: ContinuousClock.Instant { .now }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws {
        try Task.checkCancellation()
    }
}
