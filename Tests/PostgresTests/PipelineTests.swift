import Postgres
import TestSupport
import Testing

@Suite("Pipeline")
struct PipelineTests {
    @Test("Statements of several batches run in order and tell their affected rows")
    func inOrder() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0)")
            var queue: [PostgresSession.QueuedStatement] = (0..<501).map {
                ("INSERT INTO t (id) VALUES ($1)", [.integer($0)])
            }
            queue.append(("UPDATE t SET n = $1 WHERE id < $2", [.integer(7), .integer(10)]))
            queue.append(("SELECT * FROM t WHERE n = $1", [.integer(7)]))
            let affected = try session.pipeline(queue)
            #expect(affected == Array(repeating: 1, count: 501) + [10, 10])
            try #expect(session.pipeline([]) == [])
        }
    }

    @Test("The first real error surfaces, and inside a transaction nothing stays")
    func failure() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (id int PRIMARY KEY)")
            let error = #expect(throws: PostgresError.self) {
                try session.transaction {
                    try session.pipeline([1, 2, 3, 2, 4].map { ("INSERT INTO t VALUES ($1)", [.integer($0)]) })
                }
            }
            #expect(error?.isUniqueViolation == true)
            let result = try session.query("SELECT count(*) FROM t")
            try #expect(result.int64(0, 0) == 0)
        }
    }

    @Test("A value that cannot be sent stops its batch before anything runs")
    func unsendable() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (name text)")
            #expect(throws: PostgresError.self) {
                try session.pipeline(["a", "b\0"].map { ("INSERT INTO t VALUES ($1)", [.text($0)]) })
            }
            let result = try session.query("SELECT count(*) FROM t")
            try #expect(result.int64(0, 0) == 0)
        }
    }

    @Test("A statement that the server has forgotten is prepared again")
    func stale() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int)")
            let insert: PostgresSession.QueuedStatement = ("INSERT INTO t VALUES ($1)", [.integer(1)])
            try session.pipeline([insert])
            try session.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
            try #expect(session.pipeline([insert, insert]) == [1, 1])
        }
    }

    @Test("A backend that dies inside a pipeline ends it with an error")
    func backendDies() async throws {
        try await withSession { session in
            let error = #expect(throws: PostgresError.self) {
                try session.pipeline([
                    ("SELECT 1", []), ("SELECT pg_terminate_backend(pg_backend_pid())", []),
                    ("SELECT pg_sleep(10)", []), ("SELECT 2", []),
                ])
            }
            #expect(error?.isConnectionLost == true)
            #expect(error?.sqlState == "57P01")
            let next = #expect(throws: PostgresError.self) { try session.query("SELECT 1") }
            #expect(next?.isConnectionLost == true)
        }
    }
}
