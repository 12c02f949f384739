import Logging
import Postgres
import TestSupport
import Testing

@Suite("Connection")
struct ConnectionTests {
    @Test("A backend that another connection terminates ends the query with an error")
    func terminated() async throws {
        try await PostgresServer.withDatabase { database in
            let victim = try await database.connect()
            let killer = try await database.connect()
            let pid = try await victim.run { try $0.query("SELECT pg_backend_pid()").int64(0, 0) ?? 0 }
            let sleep = Task { try await victim.run { _ = try $0.query("SELECT pg_sleep(600)") } }
            try await killer.run { session in
                try session.waitUntilActive(pid)
                _ = try session.query("SELECT pg_terminate_backend($1)", [.integer(pid)])
            }
            let error = await #expect(throws: PostgresError.self) { try await sleep.value }
            #expect(error?.isConnectionLost == true)
            #expect(error?.sqlState == "57P01")
            #expect(await victim.settle() == false)
            #expect(await victim.isAlive() == false)
        }
    }

    @Test("A connection that dies while idle is noticed without a round trip")
    func diesIdle() async throws {
        try await PostgresServer.withDatabase { database in
            let victim = try await database.connect()
            let killer = try await database.connect()
            let pid = try await victim.run { try $0.query("SELECT pg_backend_pid()").int64(0, 0) ?? 0 }
            #expect(await victim.isAlive())
            try await killer.run { session in
                // With a timeout the function returns only when the backend has gone.
                _ = try session.query("SELECT pg_terminate_backend($1, 10000)", [.integer(pid)])
            }
            #expect(await victim.isAlive() == false)
        }
    }

    @Test("A cancelled task's statement ends, rolls back, and the connection stays usable")
    func cancelled() async throws {
        try await PostgresServer.withDatabase { database in
            let sleeper = try await database.connect()
            let observer = try await database.connect()
            let pid = try await sleeper.run { session in
                try session.execute("CREATE TABLE t (n int)")
                return try session.query("SELECT pg_backend_pid()").int64(0, 0) ?? 0
            }
            let task = Task {
                try await sleeper.run { session in
                    try session.transaction {
                        try session.execute("INSERT INTO t VALUES (1)")
                        _ = try session.query("SELECT pg_sleep(600)")
                    }
                }
            }
            try await observer.run { try $0.waitUntilActive(pid) }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let count = try await sleeper.run { try $0.query("SELECT count(*) FROM t").int64(0, 0) }
            #expect(count == 0)
        }
    }

    @Test("A body that ignores its cancellation gets no further statement through")
    func stubborn() async throws {
        try await PostgresServer.withDatabase { database in
            let connection = try await database.connect()
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await connection.run { _ = try $0.query("SELECT 1") }
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            try await connection.run { _ = try $0.query("SELECT 1") }
        }
    }

    @Test("A statement timeout is not taken for a cancellation")
    func statementTimeout() async throws {
        try await PostgresServer.withDatabase { database in
            let connection = try await database.connect(settings: ["statement_timeout": "1ms"])
            let error = await #expect(throws: PostgresError.self) {
                try await connection.run { _ = try $0.query("SELECT pg_sleep(600)") }
            }
            #expect(error?.isCancelled == true)
        }
    }

    @Test("Many waiting connections do not hold up other tasks")
    func cooperativePool() async throws {
        try await PostgresServer.withDatabase { database in
            let gate = try await database.connect()
            try await gate.run { _ = try $0.query("SELECT pg_advisory_lock(1)") }
            let events = Record<String>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<32 {
                    group.addTask {
                        let connection = try await database.connect()
                        try await connection.run { _ = try $0.query("SELECT pg_advisory_lock_shared(1)") }
                        events.note("lock")
                    }
                }
                let observer = try await database.connect()
                try await observer.run { try $0.waitUntilBlocked(32) }
                // All 32 threads wait in libpq: the pool would be stuck here if they were its own.
                for _ in 0..<1000 { await Task.yield() }
                await withTaskGroup(of: Void.self) { beats in
                    for _ in 0..<100 { beats.addTask { await Task.yield() } }
                }
                events.note("heartbeat")
                try await gate.run { _ = try $0.query("SELECT pg_advisory_unlock(1)") }
                try await group.waitForAll()
            }
            #expect(events.entries.first == "heartbeat")
            #expect(events.entries.count == 33)
        }
    }

    @Test("Notices go to the log")
    func notices() async throws {
        try await PostgresServer.withDatabase { database in
            let log = LogLines()
            var logger = Logger(label: "test") { _ in log }
            logger.logLevel = .debug
            let connection = try await PostgresConnection.open(
                PostgresConfiguration(url: database.url), logger: logger)
            try await connection.run { session in
                try session.execute("DROP TABLE IF EXISTS no_such; DO $$ BEGIN RAISE WARNING 'mind the gap'; END $$")
            }
            #expect(log.lines.entries.contains { $0.contains("no_such") })
            #expect(log.lines.entries.contains { $0.contains("mind the gap") })
        }
    }

    @Test("A closed connection says so")
    func closed() async throws {
        try await PostgresServer.withDatabase { database in
            let connection = try await database.connect()
            await connection.close()
            let error = await #expect(throws: PostgresError.self) {
                try await connection.run { _ = try $0.query("SELECT 1") }
            }
            #expect(error?.isConnectionLost == true)
        }
    }
}

extension PostgresSession {
    /// Returns when the backend runs a statement that waits.
    func waitUntilActive(_ pid: Int64) throws {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'"
        while try query(sql, [.integer(pid)]).rowCount == 0 {}
    }

    /// Returns when so many of this database's backends wait for an advisory lock.
    func waitUntilBlocked(_ count: Int64) throws {
        let sql = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'
            """
        while try query(sql).int64(0, 0) != count {}
    }
}

private final class LogLines: LogHandler {
    let lines = Record<String>()
    var logLevel: Logger.Level {
        get { .debug }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        lines.note("\(event.message) \(event.metadata ?? [:])")
    }
}
