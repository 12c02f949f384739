import Logging
import Postgres
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    @Test("No description shows the password")
    func password() throws {
        let configuration = try PostgresConfiguration(url: "postgres://anna:s3cr%40t@db.example.org:5433/books")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(text.contains("anna@db.example.org:5433/books"))
            #expect(!text.contains("s3cr"))
        }
    }

    @Test(
        "A URL that libpq would misread is refused without being quoted",
        arguments: [
            "mysql://anna:s3cret@host/db", "postgres://anna:s3cret@x@host/db", "postgres://anna:s3cret/x@host/db",
            "postgres://anna:x:s3cret@host:s3cret/db", "postgres://anna:%s3cret@host/db", "anna:s3cret",
        ])
    func malformed(url: String) {
        let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(url: url) }
        #expect(error?.debugDescription.contains("s3cret") == false)
        #expect(error?.hint?.contains("percent-encode") == true)
    }

    @Test("A server that is not there is an error of kind connect that says where it was looked for")
    func nobodyThere() async throws {
        let configuration = try PostgresConfiguration(url: "postgres://anna:s3cret@127.0.0.1:1/books")
        let error = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.open(configuration, logger: Logger(label: "test.postgres"))
        }
        #expect(error?.kind == .connect)
        #expect(error?.isConnectionLost == true)
        #expect(error?.description.contains("anna@127.0.0.1:1/books") == true)
        #expect(error?.debugDescription.contains("s3cret") == false)
    }
}
