import Logging
import Postgres
import TestSupport
import Testing

@Suite("Pool")
struct PoolTests {
    private func withPool(limit: Int, _ body: (PostgresPool) async throws -> Void) async throws {
        try await PostgresServer.withDatabase { database in
            let configuration = try PostgresConfiguration(url: database.url)
            let pool = PostgresPool(configuration, limit: limit, logger: Logger(label: "test.postgres"))
            try await body(pool)
            await pool.close()
        }
    }

    @Test("Many tasks share few connections")
    func shared() async throws {
        try await withPool(limit: 3) { pool in
            let pids = Record<Int64>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        let pid = try await pool.run { try $0.query("SELECT pg_backend_pid()").int64(0, 0) ?? 0 }
                        pids.note(pid)
                    }
                }
                try await group.waitForAll()
            }
            #expect((1...3).contains(Set(pids.entries).count))
        }
    }

    @Test("A lost connection is replaced, whether it died in use or idle")
    func replaced() async throws {
        try await withPool(limit: 1) { pool in
            await #expect(throws: PostgresError.self) {
                try await pool.run { _ = try $0.query("SELECT pg_terminate_backend(pg_backend_pid())") }
            }
            let pid = try await pool.run { try $0.query("SELECT pg_backend_pid()").int64(0, 0) ?? 0 }
            let database = try await pool.run { try $0.query("SELECT current_database()").string(0, 0) ?? "" }
            try await PostgresServer.withDatabase { other in
                let killer = try await other.connect()
                try await killer.run { session in
                    let killed = try session.query(
                        """
                        SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1
                        """, [.text(database)])
                    #expect(killed.rowCount == 1)
                }
            }
            let next = try await pool.run { try $0.query("SELECT pg_backend_pid()").int64(0, 0) ?? 0 }
            #expect(next != pid)
        }
    }

    @Test("An open transaction ends when its connection comes back")
    func strayTransaction() async throws {
        try await withPool(limit: 1) { pool in
            try await pool.run { try $0.execute("BEGIN") }
            let status = try await pool.run { $0.transactionStatus }
            #expect(status == .idle)
        }
    }

    @Test("A task that is cancelled while it waits leaves the line")
    func cancelledWaiter() async throws {
        try await withPool(limit: 1) { pool in
            try await pool.withConnection { _ in
                let waiter = Task { try await pool.run { _ in } }
                await Task.yield()
                waiter.cancel()
                await #expect(throws: CancellationError.self) { try await waiter.value }
            }
            try await pool.run { _ = try $0.query("SELECT 1") }
        }
    }

    @Test("Closing turns away who waits and who comes later, but lets a user finish")
    func closing() async throws {
        try await withPool(limit: 1) { pool in
            try await pool.withConnection { connection in
                let waiter = Task { try await pool.run { _ in } }
                await Task.yield()
                await pool.close()
                await #expect(throws: PostgresError.self) { try await waiter.value }
                try await connection.run { _ = try $0.query("SELECT 1") }
            }
            let error = await #expect(throws: PostgresError.self) { try await pool.run { _ in } }
            #expect(error?.description.contains("closed") == true)
        }
    }

    @Test("A server that cannot be reached fails every request and blocks none")
    func unreachable() async throws {
        let configuration = try PostgresConfiguration(url: "postgres://anna@127.0.0.1:1/books")
        let pool = PostgresPool(configuration, limit: 2, logger: Logger(label: "test.postgres"))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    let error = await #expect(throws: PostgresError.self) { try await pool.run { _ in } }
                    #expect(error?.kind == .connect)
                }
            }
        }
        await pool.close()
    }
}
