import Postgres
import TestSupport
import Testing

@Suite("Session")
struct SessionTests {
    @Test("A script runs all its statements and gives the last result")
    func script() async throws {
        try await withSession { session in
            try session.execute(
                "CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2), (3); UPDATE t SET n = n + 1 WHERE n > 1")
            #expect(throws: PostgresError.self) { try session.execute("INSERT INTO t VALUES (9); SELECT 1/0") }
            let update = try session.query("UPDATE t SET n = 0 WHERE n > 1")
            #expect(update.affectedRows == 2)
            #expect(update.commandTag == "UPDATE 2")
        }
    }

    @Test("A unique violation tells table, constraint and code, and keeps the value out of its description")
    func uniqueViolation() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (email text CONSTRAINT t_email_key UNIQUE)")
            let insert = "INSERT INTO t VALUES ($1)"
            _ = try session.query(insert, [.text("anna@example.org")])
            let error = try #require(
                #expect(throws: PostgresError.self) { try session.query(insert, [.text("anna@example.org")]) })
            #expect(error.sqlState == "23505")
            #expect(!error.isConnectionLost)
            #expect(error.kind == .server)
            #expect(error.severity == "ERROR")
            #expect(error.schema == "public")
            #expect(error.table == "t")
            #expect(error.constraint == "t_email_key")
            #expect(error.detail?.contains("anna@example.org") == true)
            #expect(!error.description.contains("anna"))
            #expect(error.debugDescription.contains("anna"))
        }
    }

    @Test("A value that does not fit its type is quoted for the debugger only")
    func unfitValue() async throws {
        try await withSession { session in
            let error = try #require(
                #expect(throws: PostgresError.self) { try session.query("SELECT $1::int", [.text("my \"secret")]) })
            #expect(error.sqlState == "22P02")
            #expect(error.description.contains("type integer: \"…\" (SQLSTATE 22P02)"))
            #expect(error.debugDescription.contains("my \"secret"))
        }
    }

    @Test("A not-null violation names the column")
    func notNullViolation() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (name text NOT NULL)")
            let error = #expect(throws: PostgresError.self) {
                try session.query("INSERT INTO t VALUES ($1)", [.null])
            }
            #expect(error?.sqlState == "23502")
            #expect(error?.column == "name")
        }
    }

    @Test("A transaction commits as a whole or not at all")
    func transaction() async throws {
        struct Change: Error {}
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int)")
            try session.transaction {
                #expect(session.transactionStatus == .open)
                try session.execute("INSERT INTO t VALUES (1)")
            }
            #expect(throws: Change.self) {
                try session.transaction {
                    try session.execute("INSERT INTO t VALUES (2)")
                    throw Change()
                }
            }
            #expect(session.transactionStatus == .idle)
            let result = try session.query("SELECT n FROM t")
            #expect(result.rowCount == 1)
        }
    }

    @Test("A transaction whose body hides a failed statement does not pass for committed")
    func hiddenFailure() async throws {
        try await withSession { session in
            #expect(throws: PostgresError.self) {
                try session.transaction {
                    _ = try? session.execute("SELECT 1/0")
                    #expect(session.transactionStatus == .failed)
                }
            }
            #expect(session.transactionStatus == .idle)
        }
    }

    @Test("A body that throws leaves no open transaction to the next")
    func strayTransaction() async throws {
        struct Stop: Error {}
        try await PostgresServer.withDatabase { database in
            let connection = try await database.connect()
            await #expect(throws: Stop.self) {
                try await connection.run { session in
                    try session.execute("BEGIN")
                    throw Stop()
                }
            }
            let status = try await connection.run { $0.transactionStatus }
            #expect(status == .idle)
        }
    }

    @Test("A statement that the server has forgotten, or whose columns changed, is prepared again")
    func staleStatements() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
            let sql = "SELECT * FROM t"
            try #expect(session.query(sql).columnCount == 1)
            try session.execute("DISCARD ALL")
            try #expect(session.query(sql).columnCount == 1)
            try session.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
            try #expect(session.query(sql).columnCount == 1)
            try session.execute("ALTER TABLE t ADD m int")
            try #expect(session.query(sql).columnCount == 2)

            try session.execute("ALTER TABLE t ADD o int")
            #expect(throws: PostgresError.self) { try session.transaction { _ = try session.query(sql) } }
            try session.transaction {
                let result = try session.query(sql)
                #expect(result.columnCount == 3)
            }
        }
    }

    @Test("No more statements stay prepared than the cache holds")
    func statementLimit() async throws {
        try await PostgresServer.withDatabase { database in
            let connection = try await database.connect()
            try await connection.run { session in
                for index in 0..<300 { _ = try session.query("SELECT \(index)") }
            }
            let prepared = try await connection.run { session in
                try session.query("SELECT count(*) FROM pg_prepared_statements").int64(0, 0)
            }
            // The oldest makes room only after the statement that counts has been prepared.
            #expect(prepared == 201)
        }
    }

    @Test("Settings of the configuration hold on the connection")
    func settings() async throws {
        try await PostgresServer.withDatabase { database in
            let connection = try await database.connect(settings: [
                "search_path": "zoho, \"odd name\"", "statement_timeout": "1234ms",
            ])
            try await connection.run { session in
                try #expect(session.query("SHOW search_path").string(0, 0) == "zoho, \"odd name\"")
                try #expect(session.query("SHOW statement_timeout").string(0, 0) == "1234ms")
                try #expect(session.query("SHOW application_name").string(0, 0) == "zohosync")
            }
            await #expect(throws: PostgresError.self) { try await database.connect(settings: ["no_such": "1"]) }
        }
    }
}
