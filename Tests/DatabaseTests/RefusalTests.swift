import Database
import TestSupport
import Testing

/// libpq says of a connection that failed only the message, which is in the server's language.
@Suite("Refused connections")
struct RefusalTests {
    @Test("Whoever the server does not let in hears whether to correct the URL, to wait or to look at the server")
    func kinds() async throws {
        try await PostgresServer.withStoppable { server in
            let rules = [
                "host all guarded all scram-sha-256", "host all kept_out all reject", "host all all all trust",
            ]
            let file = try await withDatabase(at: .postgres(url: server.url)) { database in
                try await database.read { try $0.query("show hba_file").first?.text(0) }
            }
            try await server.execute([
                "create role guarded login password 'right'", "create role kept_out login",
                "create role stranger login",
                "create role few login connection limit 0", "create database closed", "create database locked",
                "revoke connect on database closed from public", "alter database locked allow_connections false",
                "copy (values \(rules.map { "('\($0)')" }.joined(separator: ", "))) to '\(file ?? "")'",
            ])
            // The server reads its rules anew a moment after it is told to, and at once when it starts.
            try await server.execute(["checkpoint"])
            try await server.stop()
            try await server.start()
            func error(_ user: String, _ database: String = "postgres") async -> DatabaseError? {
                let url = server.url.replacing("//postgres@", with: "//\(user)@")
                    .replacing("/postgres", with: "/\(database)")
                return await #expect(throws: DatabaseError.self) {
                    try await withDatabase(at: .postgres(url: url)) { _ in }
                }
            }
            for (user, database, code) in [
                ("guarded:wrong", "postgres", "28P01"), ("guarded", "postgres", "28P01"),
                ("nobody", "postgres", "28000"), ("kept_out", "postgres", "28000"),
                ("stranger", "nowhere", "3D000"),
            ] {
                let refused = await error(user, database)
                #expect(refused?.code == code, "\(user): \(String(describing: refused))")
                #expect(refused?.kind == .denied)
                #expect(refused?.advice == "Correct the user, password or database in DATABASE_URL.")
            }
            let closed = await error("stranger", "closed")
            #expect(closed?.code == "42501" && closed?.kind == .denied)
            #expect(closed?.advice.contains("grant the role connect") == true)
            let full = await error("few")
            #expect(full?.code == "53300" && full?.kind == .exhausted)
            let locked = await error("stranger", "locked")
            #expect(locked?.code == "55000" && locked?.kind == .unavailable)
        }
    }

    @Test("A server that is not there is told once, with where it was looked for, and may come back")
    func nobodyThere() async throws {
        let error = await #expect(throws: DatabaseError.self) {
            try await withDatabase(at: .postgres(url: "postgres://anna:s3cret@127.0.0.1:1/books")) { _ in }
        }
        #expect(error?.kind == .unavailable)
        #expect(
            error?.description == """
                No connection to PostgreSQL at "127.0.0.1", port 1: Connection refused (libpq). Check that PostgreSQL is \
                running and that DATABASE_URL points to it.
                """)
    }
}
