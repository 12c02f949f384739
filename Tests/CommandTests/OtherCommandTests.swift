import Foundation
import Testing
import ZohoSimulator

@Suite("Other commands")
struct OtherCommandTests {
    @Test("A grant code from standard input becomes a refresh token, once")
    func auth() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                var environment = simulator.environment()
                environment["ZOHO_REFRESH_TOKEN"] = nil
                environment["ZOHO_ORGANIZATION_ID"] = nil
                let oauth = simulator.control.configuration.oauth
                let code = try #require(oauth.grantCodes.first)
                let granted = try await Program.run(["auth"], environment, input: code + "\n", folder: folder)
                #expect(granted.status == 0, "\(granted.errors)")
                #expect(
                    granted.output.split(separator: "\n") == [
                        "ZOHO_REFRESH_TOKEN=\(oauth.refreshToken)",
                        "ZOHO_ORGANIZATION_ID=\(simulator.control.configuration.organizationID)",
                    ])
                let again = try await Program.run(["auth"], environment, input: code + "\n", folder: folder)
                #expect(again.status == 2)
                #expect(again.errors.contains("works once"))
                #expect(!again.errors.contains(code))
            }
        }
    }

    @Test("What a grant gave comes as JSON too")
    func authJSON() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                var environment = simulator.environment()
                environment["ZOHO_REFRESH_TOKEN"] = nil
                let oauth = simulator.control.configuration.oauth
                let code = try #require(oauth.grantCodes.first)
                let granted = try await Program.run(
                    ["auth", "--json"], environment, input: code + "\n", folder: folder)
                #expect(granted.status == 0 && granted.errors.isEmpty, "\(granted.errors)")
                let document = try Self.json(granted.output)
                #expect(document["refresh_token"] as? String == oauth.refreshToken)
                let organizations = document["organizations"] as? [[String: String]]
                #expect(organizations?.map(\.["id"]) == [simulator.control.configuration.organizationID])
                let scopes = try await Program.run(["auth", "scopes", "--json"], folder: folder)
                let list = try JSONSerialization.jsonObject(with: Data(scopes.output.utf8)) as? [String]
                #expect(list?.contains("ZohoBooks.contacts.READ") == true)
            }
        }
    }

    #if os(Linux)
    @Test(
        "A result that cannot be written is no success",
        arguments: [
            "sync --json bills", "sync bills", "status --json", "runs", "changes --after 0", "schedule",
            "verify --cost",
            "auth scopes", "dead-letters --json", "doctor --json", "heal --dry-run --json", "auth token list --json",
            "--help",
        ])
    func fullDevice(command: String) async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                let environment = simulator.environment()
                let prepared = try await Program.run(["sync", "bills"], environment, folder: folder)
                #expect(prepared.status == 0)
                let outcome = try await Program.shell("zohosync \(command) > /dev/full", environment, folder: folder)
                #expect(outcome.status == 1)
                #expect(
                    outcome.errors.contains("could not be written to standard output: No space left on device."),
                    "\(outcome.errors)")
            }
        }
    }
    #endif

    @Test(
        "A command that cannot begin says so in JSON too, where that is asked for",
        arguments: [
            (["sync", "--modified-since", "yesterday"], Int32(2), "--modified-since"),
            (["sync", "--colour"], 2, "--colour"), (["serve", "--log-format", "xml"], 2, "--log-format"),
            (["runs", "--database-url", "sqlite:none.sqlite"], 2, "zohosync sync"),
            (["verify", "--database-url", "postgres://127.0.0.1:1/x"], 1, "PostgreSQL"),
        ])
    func failureJSON(arguments: [String], status: Int32, word: String) async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                let plain = try await Program.run(arguments, simulator.environment(), folder: folder)
                #expect(plain.status == status && plain.output.isEmpty, "\(plain.output)\(plain.errors)")
                #expect(plain.errors.contains(word))
                let outcome = try await Program.run(arguments + ["--json"], simulator.environment(), folder: folder)
                #expect(outcome.status == status && outcome.errors == plain.errors)
                let document = try Self.json(outcome.output)
                #expect(document.keys.sorted() == ["error", "success"])
                #expect(document["success"] as? Bool == false)
                let error = try #require(document["error"] as? String)
                #expect(error.contains(word) && !error.contains("Usage:"))
            }
        }
    }

    private static func json(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("The scopes to ask for are those of the modules")
    func scopes() async throws {
        try await withFolder { folder in
            let outcome = try await Program.run(["auth", "scopes"], folder: folder)
            #expect(outcome.output.contains("ZohoBooks.contacts.READ,"))
            #expect(!outcome.output.contains("ALL"))
        }
    }

    @Test("The simulator stands alone and says how it is reached")
    func simulate() async throws {
        try await withFolder { folder in
            let program = try Program(["simulate", "--port", "0"], folder: folder)
            var sync: Program.Outcome?
            let environment = try await Self.environment(of: program)
            sync = try await Program.run(["sync", "invoices", "--no-details"], environment, folder: folder)
            #expect(sync?.status == 0, "\(sync?.errors ?? "")")
            #expect(sync?.output.contains("125") == true)
            program.send(SIGTERM)
            _ = await program.outcome()
        }
    }

    @Test("The simulator and the server tell a program in one line of JSON where they are")
    func addresses() async throws {
        try await withFolder { folder in
            let simulator = try Program(["simulate", "--port", "0", "--json"], folder: folder)
            let line = try #require(await simulator.outputLines.first { _ in true })
            let environment = try #require(try Self.json(line) as? [String: String])
            #expect(environment["ZOHO_API_URL"]?.hasPrefix("http://127.0.0.1:") == true)
            let server = try Program(
                ["serve", "--port", "0", "--no-schedule", "--json"], environment, folder: folder)
            let answer = try #require(await server.outputLines.first { _ in true })
            let address = try #require(try Self.json(answer)["address"] as? String)
            #expect(URL(string: address)?.port ?? 0 > 0)
            for program in [server, simulator] {
                program.send(SIGTERM)
                _ = await program.outcome()
            }
        }
    }

    /// Reads the lines that the simulator prints for a shell.
    private static func environment(of program: Program) async throws -> [String: String] {
        var environment: [String: String] = [:]
        for await line in program.outputLines {
            guard let match = line.wholeMatch(of: #/export (\w+)=(.*)/#) else { continue }
            environment[String(match.1)] = String(match.2)
            if match.1 == "ZOHO_ORGANIZATION_ID" { break }
        }
        return environment
    }

    @Test("The demonstration replaces no file but its own")
    func demoLeavesOthersAlone() async throws {
        try await withFolder { folder in
            var configuration = SimulatorConfiguration.small
            configuration.organizationID = "60099900077"
            try await ZohoSimulator.withSimulator(configuration) { simulator in
                let sync = try await Program.run(
                    ["sync", "bills", "--no-details"], simulator.environment(), folder: folder)
                #expect(sync.status == 0, "\(sync.errors)")
            }
            try Data("precious".utf8).write(to: folder.appending(path: "notes.txt"))
            for name in ["zoho.sqlite", "notes.txt"] {
                let before = try Data(contentsOf: folder.appending(path: name))
                let refused = try await Program.run(["demo", "--file", name], folder: folder)
                #expect(refused.status == 2)
                #expect(refused.errors.contains("--file is \(name), but must be"), "\(refused.errors)")
                #expect(try Data(contentsOf: folder.appending(path: name)) == before)
            }
        }
    }

    @Test("The demonstration loads a whole organisation and says how to look at it")
    func demo() async throws {
        try await withFolder { folder in
            let outcome = try await Program.run(["demo", "--file", "demo.sqlite"], folder: folder)
            #expect(outcome.status == 0, "\(outcome.errors.suffix(400))")
            #expect(outcome.output.contains("1,312") && outcome.output.contains("sqlite3"))
            #expect(FileManager.default.fileExists(atPath: folder.appending(path: "demo.sqlite").path))
            let machine = try await Program.run(["demo", "--file", "demo.sqlite", "--json"], folder: folder)
            #expect(machine.status == 0)
            #expect(try Self.json(machine.output)["success"] as? Bool == true)
        }
    }
}
