import Database
import Foundation
import TestSupport
import Testing
import ZohoSimulator

@Suite("zohosync sync")
struct SyncCommandTests {
    @Test("Loads everything, says each page in a plain line, ends with a table and with 0", arguments: Engine.allCases)
    func loads(engine: Engine) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    let first = try await Program.run(["sync"], environment, folder: folder)
                    #expect(first.status == 0, "\(first.errors)")
                    #expect(first.output.contains("products"))
                    #expect(first.output.split(separator: "\n").count >= 10)
                    let pages = first.errors.split(separator: "\n").filter {
                        $0.contains("products") && $0.contains("list")
                    }
                    #expect(pages.count == 3)
                    #expect(!first.errors.contains("\u{1B}"))

                    let second = try await Program.run(["sync", "--json"], environment, folder: folder)
                    let document = try JSONSerialization.jsonObject(with: Data(second.output.utf8)) as? [String: Any]
                    #expect(document?["success"] as? Bool == true)
                    let runs = try #require(document?["runs"] as? [[String: Any]])
                    #expect(runs.count == 9)
                    #expect(runs.allSatisfy { $0["state"] as? String == "completed" })

                    let history = try await Program.run(["runs", "products"], environment, folder: folder)
                    #expect(history.status == 0)
                    #expect(history.output.split(separator: "\n").count == 3)
                }
            }
        }
    }

    @Test("On a terminal of 80 columns there is one live line for each entity, and none wraps")
    func terminal() async throws {
        try await withFolder { folder in
            var configuration = SimulatorConfiguration.small
            configuration.counts[.items] = 2_000
            configuration.latency = .milliseconds(100)
            configuration.limits.callsPerDay = 10_000
            try await ZohoSimulator.withSimulator(configuration) { simulator in
                let outcome = try await Program.shell(
                    "script -qec 'stty cols 80; exec zohosync sync products customers' /dev/null",
                    simulator.environment(), folder: folder)
                #expect(outcome.status == 0, "\(outcome.output)")
                let drawn = outcome.output.split(separator: "\u{1B}[2K").dropFirst()
                    .compactMap { $0.split(whereSeparator: \.isNewline).first }
                #expect(drawn.count > 2)
                #expect(drawn.allSatisfy { $0.count < 80 }, "\(drawn)")
                #expect(drawn.contains { $0.contains("/2,000") && $0.contains("/day") }, "\(drawn)")
                #expect(drawn.last?.hasPrefix("customers") == true && drawn.last?.contains("completed") == true)
            }
        }
    }

    @Test("Whoever stops reading what a sync says does not stop the sync")
    func readerGone() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                let outcome = try await Program.shell(
                    "{ zohosync sync; echo $? > status; } 2>&1 | head -n 1", simulator.environment(), folder: folder)
                #expect(outcome.output.split(separator: "\n").count == 1)
                let status = try String(contentsOf: folder.appending(path: "status"), encoding: .utf8)
                #expect(status == "0\n")
            }
        }
    }

    @Test("A file in the working folder is the mirror where nothing else is said")
    func defaultDatabase() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                let outcome = try await Program.run(
                    ["sync", "invoices", "--no-details"], simulator.environment(), folder: folder)
                #expect(outcome.status == 0)
                #expect(FileManager.default.fileExists(atPath: folder.appending(path: "zoho.sqlite").path))
            }
        }
    }

    @Test("The configuration file says what the environment does not")
    func configurationFile() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                let oauth = simulator.control.configuration.oauth
                let yaml = """
                    zoho:
                      clientId: "\(oauth.clientID)"
                      clientSecret: "\(oauth.clientSecret)"
                      refreshToken: "\(oauth.refreshToken)"
                      organizationId: "\(simulator.control.configuration.organizationID)"
                      accountsUrl: "\(simulator.baseURL)"
                      apiUrl: "http://127.0.0.1:1"
                    """
                try yaml.write(to: folder.appending(path: "zohosync.yaml"), atomically: true, encoding: .utf8)
                let outcome = try await Program.run(
                    ["sync", "invoices", "--no-details"], ["ZOHO_API_URL": simulator.baseURL], folder: folder)
                #expect(outcome.status == 0, "\(outcome.errors)")
            }
        }
    }

    /// Something wrong, the exit code, and what the sentence has to name.
    static let mistakes: [(arguments: [String], environment: [String: String], status: Int32, names: [String])] = [
        (["sync"], ["ZOHO_CLIENT_SECRET": "wrong"], 2, ["ZOHO_CLIENT_SECRET"]),
        (["sync"], ["ZOHO_REFRESH_TOKEN": "1000.wrong.token"], 2, ["ZOHO_REFRESH_TOKEN", "ZOHO_DATA_CENTER"]),
        (["sync"], ["ZOHO_CLIENT_ID": "1000.OTHER"], 2, ["ZOHO_CLIENT_ID"]),
        (["sync"], ["ZOHO_ORGANIZATION_ID": "60000000000"], 2, ["60000000000", "ZOHO_ORGANIZATION_ID"]),
        (["sync"], ["ZOHO_DATA_CENTER": "fr"], 2, ["ZOHO_DATA_CENTER", "com.au"]),
        (["sync"], ["ZOHO_CLIENT_ID": ""], 2, ["ZOHO_CLIENT_ID"]),
        (["sync"], ["DATABASE_URL": "mysql://root@localhost/x"], 2, ["DATABASE_URL", "postgres://"]),
        (["sync"], ["DATABASE_URL": "postgres://u:sesame@127.0.0.1:1/x"], 1, ["PostgreSQL", "DATABASE_URL"]),
        (["sync"], ["ZOHO_API_URL": "http://127.0.0.1:1"], 1, ["cannot be reached (Connection refused). Check"]),
        (["sync"], ["DATABASE_URL": "sqlite:/no/such/folder/zoho.sqlite"], 1, ["/no/such/folder"]),
        (["sync"], ["ZOHOSYNC_IN_FLIGHT": "many"], 2, ["ZOHOSYNC_IN_FLIGHT"]),
        (["sync"], ["ZOHOSYNC_LOG_LEVEL": "loud"], 2, ["ZOHOSYNC_LOG_LEVEL", "loud", "critical"]),
        (["sync"], ["ZOHOSYNC_LOG_FORMAT": "xml"], 2, ["ZOHOSYNC_LOG_FORMAT", "xml", "logfmt"]),
        (["sync", "--batch-size", "9"], [:], 2, ["9", "10 to 200"]),
        (["sync", "--batch-size", "201"], [:], 2, ["201"]),
        (["sync", "--modified-since", "yesterday"], [:], 2, ["yesterday", "2025-11-01"]),
        (["sync", "--config", "missing.yaml"], [:], 2, ["missing.yaml"]),
        (["sync", "--wrong-flag"], [:], 2, ["--wrong-flag"]),
        (["runs"], [:], 2, ["zohosync sync"]),
        (["dead-letters"], [:], 2, ["zohosync sync"]),
        (["status"], [:], 2, ["zohosync sync"]),
        (["changes", "--follow"], [:], 2, ["zohosync sync"]),
        (["schedule"], [:], 2, ["zohosync sync"]),
        (["auth", "token", "list"], [:], 2, ["zohosync sync"]),
        (["status"], ["DATABASE_URL": "postgres://u:sesame@127.0.0.1:1/x"], 1, ["PostgreSQL", "DATABASE_URL"]),
        (["runs", "--limit", "0"], [:], 2, ["--limit"]),
        (["dead-letters", "--limit", "0"], [:], 2, ["--limit"]),
        (["changes", "--limit", "0"], [:], 2, ["--limit"]),
        (["changes", "--after=-1"], [:], 2, ["--after"]),
        (["changes", "--follow", "--after", "0", "--limit", "1"], [:], 2, ["--follow", "--limit"]),
    ]

    @Test("Each mistake gives one sentence that says what to do, and the right exit code", arguments: mistakes.indices)
    func mistake(index: Int) async throws {
        let mistake = Self.mistakes[index]
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                let outcome = try await Program.run(
                    mistake.arguments, simulator.environment(mistake.environment), folder: folder)
                #expect(outcome.status == mistake.status, "\(outcome.errors)")
                for name in mistake.names { #expect(outcome.errors.contains(name), "\(outcome.errors)") }
                #expect(!outcome.errors.contains("sesame"))
                #expect(!outcome.errors.contains("Error("))
            }
        }
    }

    @Test(
        "Every command refuses an unknown entity with the same sentence",
        arguments: [
            ["sync"], ["verify"], ["runs", "list"], ["changes"], ["dead-letters", "list"], ["dead-letters", "retry"],
        ])
    func unknownEntity(command: [String]) async throws {
        try await withFolder { folder in
            let outcome = try await Program.run(command + ["widgets"], folder: folder)
            #expect(outcome.status == 2)
            #expect(
                outcome.errors.contains(
                    #/^There is no entity widgets\. Choose from: products, .*customer_payments.*\.\n$/#),
                "\(outcome.errors)")
            let help = try await Program.run(command + ["--help"], folder: folder)
            #expect(help.output.contains("customer_payments"), "\(help.output)")
        }
    }

    @Test("A configuration file that is not there, cannot be read or is no YAML is told apart, without what it says")
    func brokenConfigurationFile() async throws {
        try await withFolder { folder in
            func errors(_ arguments: [String] = []) async throws -> String {
                let outcome = try await Program.run(["status"] + arguments, folder: folder)
                #expect(outcome.status == 2)
                return outcome.errors
            }
            #expect(try await errors(["--config", "nope.yaml"]) == "There is no file nope.yaml.\n")
            #expect(try await errors(["--config", "."]).hasPrefix(". cannot be read."))
            let file = folder.appending(path: "zohosync.yaml")
            for (text, reason) in [
                ("zoho:\n  clientSecret: \"opensesame\n", "in line"),
                ("zoho:\n  clientSecret: opensesame: x\n", "in line 2"),
                ("- opensesame\n", "not a mapping"), ("zoho: 1\nzoho: opensesame\n", "twice"),
                ("zoho:\n  - {opensesame: 1}\n", "zoho"),
            ] {
                try Data(text.utf8).write(to: file)
                let sentence = try await errors()
                #expect(sentence.hasPrefix("zohosync.yaml is not valid YAML: "), "\(sentence)")
                #expect(sentence.contains(reason) && sentence.hasSuffix(".\n"), "\(sentence)")
                #expect(!sentence.contains("sesame") && sentence.split(separator: "\n").count == 1, "\(sentence)")
            }
        }
    }

    @Test(
        "A role without rights, or to which row-level security hides rows, is told what to run, and nothing is touched",
        arguments: [
            ("revoke insert on products from ROLE", "grant insert on zoho.products to"),
            (
                "alter table bill_line_items enable row level security",
                "create policy zohosync_all on zoho.bill_line_items for all to"
            ),
        ])
    func missingGrant(taken: String, told: String) async throws {
        try await withFolder { folder in
            try await withLocation(.postgres) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let owner = simulator.environment(["DATABASE_URL": location.url])
                    #expect(try await Program.run(["sync", "--no-details"], owner, folder: folder).status == 0)
                    let role = "reader_\(UInt32.random(in: 0 ..< .max))"
                    try await withDatabase(at: location) { database in
                        try await database.write { transaction in
                            try transaction.script(
                                """
                                create role \(role) login; grant usage on schema zoho to \(role);
                                grant select, insert, update, delete on all tables in schema zoho to \(role);
                                grant usage on all sequences in schema zoho to \(role);
                                \(taken.replacing("ROLE", with: role))
                                """)
                        }
                    }
                    let url = location.url.replacing("postgres@", with: "\(role)@")
                    let calls = simulator.control.statistics.calls
                    let outcome = try await Program.run(
                        ["sync"], simulator.environment(["DATABASE_URL": url]), folder: folder)
                    #expect(outcome.status == 2)
                    #expect(outcome.errors.contains("\(told) \(role)"), "\(outcome.errors)")
                    #expect(simulator.control.statistics.calls == calls)
                    try await withDatabase(at: location) { database in
                        try await database.write { try $0.script("drop owned by \(role); drop role \(role)") }
                    }
                }
            }
        }
    }

    @Test(
        "A user or database that the server does not know is a matter of the configuration",
        arguments: [("postgres@", "nobody@"), ("/test_", "/nowhere_")])
    func wrongURL(right: String, wrong: String) async throws {
        try await withFolder { folder in
            try await withLocation(.postgres) { location in
                let url = location.url.replacing(right, with: wrong)
                let outcome = try await Program.run(["status"], ["DATABASE_URL": url], folder: folder)
                #expect(outcome.status == 2)
                #expect(outcome.errors.contains("Correct the user, password or database in DATABASE_URL."))
                #expect(outcome.errors.contains("does not exist"), "\(outcome.errors)")
            }
        }
    }

    @Test("A token that may read nothing of what was asked for is a matter of the configuration")
    func missingScope() async throws {
        try await withFolder { folder in
            var configuration = SimulatorConfiguration.small
            configuration.oauth.scopes = ["ZohoBooks.settings.READ"]
            try await ZohoSimulator.withSimulator(configuration) { simulator in
                let environment = simulator.environment()
                let none = try await Program.run(
                    ["sync", "customers", "invoices", "--json"], environment, folder: folder)
                #expect(none.status == 2)
                #expect(none.errors.contains("zohosync auth scopes"), "\(none.errors)")
                let document = try JSONSerialization.jsonObject(with: Data(none.output.utf8)) as? [String: Any]
                #expect((document?["error"] as? String)?.contains("zohosync auth scopes") == true)
                let some = try await Program.run(
                    ["sync", "customers", "pricelists"], environment, folder: folder)
                #expect(some.status == 1, "the rest of what was asked for is there")
                #expect(some.output.contains("zohosync auth scopes"), "\(some.output)")
            }
        }
    }

    @Test("A database that only allows reading is told apart, and nothing is touched")
    func readOnlyDatabase() async throws {
        try await withFolder { folder in
            try await withLocation(.postgres) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    try await withDatabase(at: location) { database in
                        let name = try await database.read { try $0.query("select current_database()").first?.text(0) }
                        try await database.write {
                            try $0.script("alter database \(name ?? "") set default_transaction_read_only = on")
                        }
                    }
                    let outcome = try await Program.run(["sync"], environment, folder: folder)
                    #expect(outcome.status == 1)
                    #expect(outcome.errors.contains("is read-only"), "\(outcome.errors)")
                    #expect(outcome.errors.split(separator: "\n").count == 1)
                }
            }
        }
    }

    @Test("A dry run of a database that is not there yet shows what would come and makes nothing")
    func dryRun() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                let outcome = try await Program.run(["sync", "--dry-run"], simulator.environment(), folder: folder)
                #expect(outcome.status == 0)
                #expect(outcome.output.contains("dry run"))
                #expect(outcome.output.contains("450"))
                let made = try FileManager.default.contentsOfDirectory(atPath: folder.path)
                #expect(!made.contains { $0.hasSuffix("sqlite") })
            }
        }
    }

    @Test("A dry run shows the records that would change, and writes nothing", arguments: Engine.allCases)
    func dryRunOfMirror(engine: Engine) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    #expect(try await Program.run(["sync", "--no-details"], environment, folder: folder).status == 0)
                    let id = simulator.control.id(.items, at: 7)
                    try simulator.control.edit(.items, id: id, ["name": "Changed"])
                    let text = try await Program.run(["sync", "products", "--dry-run"], environment, folder: folder)
                    #expect(text.status == 0, "\(text.errors)")
                    #expect(text.output.contains("products \(id) would be updated"))
                    let json = try await Program.run(
                        ["sync", "products", "--dry-run", "--json"], environment, folder: folder)
                    let document = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
                    let changes = try #require(document?["changes"] as? [[String: Any]])
                    #expect(changes.count == 1 && changes.first?["zoho_id"] as? String == id)
                    #expect((changes.first?["fields"] as? [String])?.contains("name") == true)

                    // What a sync would repair is left as it is.
                    try await withDatabase(at: location) { database in
                        try await database.write { try $0.script("alter table products drop column brand") }
                    }
                    let outdated = try await Program.run(["sync", "--dry-run"], environment, folder: folder)
                    #expect(outdated.status == 2)
                    #expect(outdated.errors.contains("brand") && outdated.errors.contains("zohosync sync"))
                    try await withDatabase(at: location, access: .readOnly) { database in
                        let columns = try await database.read { try $0.columnNames(of: "products") }
                        #expect(!columns.contains("brand"))
                    }
                }
            }
        }
    }

    @Test("A dry run for another organisation leaves an empty mirror what it is", arguments: Engine.allCases)
    func dryRunOfEmptyMirror(engine: Engine) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let other = simulator.environment([
                        "DATABASE_URL": location.url, "ZOHO_ORGANIZATION_ID": "60000000000",
                    ])
                    #expect(try await Program.run(["sync", "bills"], other, folder: folder).status == 2)
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    let outcome = try await Program.run(["sync", "bills", "--dry-run"], environment, folder: folder)
                    #expect(outcome.status == 0, "\(outcome.errors)")
                    try await withDatabase(at: location, access: .readOnly) { database in
                        let stored = try await database.read {
                            try $0.query("select organization_id from sync_organization").first?.text(0)
                        }
                        #expect(stored == "60000000000")
                    }
                }
            }
        }
    }

    @Test("A report in JSON has the same members whatever happened")
    func sameMembers() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                func report(_ arguments: [String]) async throws -> [String: Any] {
                    let outcome = try await Program.run(
                        ["sync", "bills", "--json", "--no-details"] + arguments, simulator.environment(),
                        folder: folder)
                    return try #require(
                        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
                }
                let completed = try await report([])
                let rehearsed = try await report(["--dry-run"])
                simulator.control.script(.connectionReset, next: 10_000, prefix: "/bills")
                let failed = try await report([])
                #expect(completed["success"] as? Bool == true && failed["success"] as? Bool == false)
                #expect(completed["error"] is NSNull && completed["changes"] is NSNull)
                #expect(completed["quota_returns_at"] is NSNull)
                for other in [rehearsed, failed] { #expect(other.keys.sorted() == completed.keys.sorted()) }
                let runs = [completed, rehearsed, failed].map { ($0["runs"] as? [[String: Any]])?.first ?? [:] }
                #expect(runs[0]["error"] is NSNull)
                for run in runs { #expect(run.keys.sorted() == runs[0].keys.sorted() && run.count == 17) }
            }
        }
    }

    @Test("A sync that cannot go on still says what it did, then why it ended")
    func fatal() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                simulator.control.script(.connectionReset, next: 10_000, prefix: "/bills")
                let outcome = try await Program.run(
                    ["sync", "--json", "--no-details"],
                    simulator.environment(["ZOHOSYNC_IN_FLIGHT": "2"]), folder: folder)
                #expect(outcome.status == 1)
                #expect(outcome.errors.contains("cannot be reached"))
                let document = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
                #expect(document?["success"] as? Bool == false)
                #expect((document?["error"] as? String)?.contains("cannot be reached") == true)
                let runs = try #require(document?["runs"] as? [[String: Any]])
                let notBegun = try #require(document?["not_begun"] as? [String])
                #expect(runs.count + notBegun.count == 9 && !notBegun.isEmpty)
                #expect(runs.first { $0["entity"] as? String == "bills" }?["state"] as? String == "failed")
            }
        }
    }

    @Test(
        "A second sync while one runs is refused; the first goes on", .timeLimit(.minutes(30)),
        arguments: Engine.allCases)
    func second(engine: Engine) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                let clock = GateClock()
                var configuration = SimulatorConfiguration.small
                configuration.latency = .seconds(1)
                configuration.clock = clock
                configuration.counts[.items] = 3_000
                try await ZohoSimulator.withSimulator(configuration) { simulator in
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    let arguments = ["sync", "products", "--no-details"]
                    let first = try Program(arguments, environment, folder: folder)
                    // Its first page is asked for.
                    try await clock.untilAsleep()
                    let second = try await Program.run(arguments, environment, folder: folder)
                    #expect(second.status == 1)
                    #expect(second.errors.contains("Another process"), "\(second.errors)")
                    clock.open()
                    let outcome = await first.outcome()
                    #expect(outcome.status == 0)
                    #expect(outcome.output.contains("3,000"))
                }
            }
        }
    }

    @Test(
        "Stopped by a signal, the run is interrupted and the next goes on from its page", arguments: Engine.allCases,
        [SIGINT, SIGTERM, SIGKILL])
    func stopped(engine: Engine, signal: Int32) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                // The list hangs after half of its thirty pages.
                let clock = GateClock(passes: 15)
                var configuration = SimulatorConfiguration.small
                configuration.latency = .seconds(1)
                configuration.clock = clock
                configuration.counts[.items] = 6_000
                configuration.listTotals = .none
                try await ZohoSimulator.withSimulator(configuration) { simulator in
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    let arguments = ["sync", "products", "--no-details"]
                    let first = try Program(arguments, environment, folder: folder)
                    var pages = 0
                    for await line in first.errorLines where line.contains("list") {
                        pages += 1
                        if pages == 12 { break }
                    }
                    first.send(signal)
                    let outcome = await first.outcome()
                    if signal != SIGKILL {
                        #expect(outcome.status == 1)
                        #expect(outcome.errors.contains("next sync continues"))
                        #expect(outcome.output.contains("interrupted"))
                    }
                    clock.open()
                    let before = simulator.control.statistics.calls
                    let next = try await Program.run(arguments, environment, folder: folder)
                    #expect(next.status == 0, "\(next.errors)")
                    #expect(simulator.control.statistics.calls - before < 26)
                    let runs = try await Program.run(["runs"], environment, folder: folder)
                    #expect(runs.output.contains("interrupted") && runs.output.contains("completed"))
                    try await withDatabase(at: location, access: .readOnly) { database in
                        let count = try await database.read {
                            try $0.query("select count(*) from products").first?.int(0)
                        }
                        #expect(count == 6_000)
                    }
                }
            }
        }
    }

    @Test("Records that cannot be applied are listed, and applied when the cause is gone")
    func deadLetters() async throws {
        try await withFolder { folder in
            try await withLocation(.postgres) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    #expect(
                        try await Program.run(["sync", "bills", "--no-details"], environment, folder: folder).status
                            == 0)
                    try await withDatabase(at: location) { database in
                        try await database.write {
                            try $0.script("alter table invoices add constraint small check (total < 0)")
                        }
                    }
                    let sync = try await Program.run(["sync", "invoices", "--no-details"], environment, folder: folder)
                    #expect(sync.status == 1)
                    #expect(sync.output.contains("zohosync dead-letters"))
                    let list = try await Program.run(["dead-letters"], environment, folder: folder)
                    #expect(list.status == 0)
                    #expect(list.output.contains("small") && list.output.contains("23514"))
                    #expect(!list.output.contains("use --limit"))
                    let some = try await Program.run(
                        ["dead-letters", "invoices", "--limit", "3"], environment, folder: folder)
                    #expect(some.output.split(separator: "\n").count == 5)
                    #expect(some.output.contains("7 more; use --limit to see them."), "\(some.output)")
                    let machine = try await Program.run(
                        ["dead-letters", "--json", "--limit", "4"], environment, folder: folder)
                    let letters = try JSONSerialization.jsonObject(with: Data(machine.output.utf8)) as? [Any]
                    #expect(letters?.count == 4)
                    let vain = try await Program.run(["dead-letters", "retry"], environment, folder: folder)
                    #expect(vain.status == 1)
                    try await withDatabase(at: location) { database in
                        try await database.write { try $0.script("alter table invoices drop constraint small") }
                    }
                    let retry = try await Program.run(["dead-letters", "retry", "--json"], environment, folder: folder)
                    #expect(retry.status == 0)
                    #expect(retry.output.contains("\"inserted\" : 10"), "\(retry.output)")
                }
            }
        }
    }
}

extension DatabaseLocation {
    /// The value of `DATABASE_URL`.
    var url: String {
        switch self {
        case .sqlite(let path): "sqlite:\(path)"
        case .postgres(let url): url
        }
    }
}
