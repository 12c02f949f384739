import Postgres
import TestSupport
import Testing

@Suite("Queued statements")
struct QueueTests {
    private static func count(_ session: PostgresSession) throws -> Int64? {
        try session.query("SELECT count(*) FROM t").int64(0, 0)
    }

    @Test("They run in order, before what follows them")
    func inOrder() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int PRIMARY KEY)")
            let changed = try session.transaction {
                for number in 0..<300 {
                    try session.enqueue("INSERT INTO t VALUES ($1)", [.integer(Int64(number))])
                }
                try session.enqueue("UPDATE t SET n = -n WHERE n < $1", [.integer(10)])
                return try session.query("DELETE FROM t WHERE n < 0").affectedRows
            }
            #expect(changed == 9)
            try #expect(Self.count(session) == 291)
        }
    }

    @Test("They are sent with the end of the transaction, before a script and before a COPY")
    func everyExit() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (n bigint)")
            let insert = "INSERT INTO t VALUES (1)"
            try session.transaction {
                try session.enqueue(insert)
                try session.enqueue(insert)
                try session.execute("DELETE FROM t; INSERT INTO t VALUES (2)")
                try session.enqueue(insert)
                try session.copyIn("t", columns: ["n"]) { rows, _ in
                    try rows.beginRow(columns: 1)
                    rows.append(integer: 3)
                }
                try session.enqueue(insert)
            }
            let result = try session.query("SELECT array_agg(n) FROM t")
            #expect(result.string(0, 0) == "{2,1,3,1}")
        }
    }

    @Test("The first real error surfaces with the next statement, and nothing stays")
    func failure() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (id int PRIMARY KEY)")
            for isLast in [false, true] {
                let error = #expect(throws: PostgresError.self) {
                    try session.transaction {
                        for number in [1, 2, 3, 2, 4] {
                            try session.enqueue("INSERT INTO t VALUES ($1)", [.integer(Int64(number))])
                        }
                        if !isLast { _ = try session.query("SELECT 1") }
                    }
                }
                #expect(error?.sqlState == "23505")
                #expect(session.transactionStatus == .idle)
                try #expect(Self.count(session) == 0)
            }
        }
    }

    @Test("A value that cannot be sent is refused at once")
    func unsendable() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (name text)")
            #expect(throws: PostgresError.self) {
                try session.transaction {
                    try session.enqueue("INSERT INTO t VALUES ($1)", [.text("a")])
                    try session.enqueue("INSERT INTO t VALUES ($1)", [.text("b\0")])
                }
            }
            try #expect(Self.count(session) == 0)
        }
    }

    @Test("A statement that the server has forgotten fails once, and works when the transaction is repeated")
    func stale() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int)")
            let insert = { try session.transaction { try session.enqueue("INSERT INTO t VALUES (1)") } }
            try insert()
            try session.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
            #expect(throws: PostgresError.self) { try insert() }
            try insert()
            try #expect(Self.count(session) == 2)
        }
    }

    @Test("What a transaction had queued when it was given up is never sent")
    func abandoned() async throws {
        struct Enough: Error {}
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int)")
            #expect(throws: Enough.self) {
                try session.transaction {
                    try session.enqueue("INSERT INTO t VALUES (1)")
                    throw Enough()
                }
            }
            #expect(session.transactionStatus == .idle)
            try #expect(Self.count(session) == 0)
        }
    }

    @Test("A savepoint undoes what was queued in it, sent or not, and nothing before it", arguments: [false, true])
    func savepoint(isSent: Bool) async throws {
        struct Enough: Error {}
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int)")
            try session.transaction {
                try session.enqueue("INSERT INTO t VALUES ($1)", [.integer(1)])
                if isSent { _ = try session.query("SELECT 1") }
                #expect(throws: Enough.self) {
                    try session.savepoint {
                        try session.enqueue("INSERT INTO t VALUES ($1)", [.integer(2)])
                        if isSent { _ = try session.query("SELECT 1") }
                        try session.enqueue("INSERT INTO t VALUES ($1)", [.integer(3)])
                        throw Enough()
                    }
                }
                let error = #expect(throws: PostgresError.self) {
                    try session.savepoint { try session.enqueue("INSERT INTO t VALUES ($1 / 0)", [.integer(4)]) }
                }
                #expect(error?.sqlState.hasPrefix("22") == true)
                try session.savepoint { try session.enqueue("INSERT INTO t VALUES ($1)", [.integer(5)]) }
            }
            let result = try session.query("SELECT array_agg(n) FROM t")
            #expect(result.string(0, 0) == "{1,5}")
        }
    }

    @Test("A backend that dies over them ends them with an error")
    func backendDies() async throws {
        try await withSession { session in
            let error = #expect(throws: PostgresError.self) {
                try session.transaction {
                    for sql in ["SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT pg_sleep(10)"] {
                        try session.enqueue(sql)
                    }
                }
            }
            #expect(error?.isConnectionLost == true)
            #expect(error?.sqlState == "57P01")
            let next = #expect(throws: PostgresError.self) { try session.query("SELECT 1") }
            #expect(next?.isConnectionLost == true)
        }
    }
}
