import Database
import Foundation
import TestSupport
import Testing
import ZohoSimulator

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

@Suite("zohosync serve")
struct ServeCommandTests {
    static let secret = "demoSecret2026abc"

    /// Starts the server and waits until it listens.
    static func start(
        _ environment: [String: String], port: Int = 0, isScheduled: Bool = false, folder: URL
    ) async throws -> (program: Program, port: Int) {
        // Sweeps would bring what a lost delivery did not.
        let arguments = ["serve", "--port", "\(port)"] + (isScheduled ? [] : ["--no-schedule"])
        let program = try Program(arguments, environment, folder: folder)
        for await line in program.outputLines {
            if let text = line.split(separator: ":").last, line.contains("is listening on"), let port = Int(text) {
                return (program, port)
            }
        }
        let outcome = await program.outcome()
        Issue.record("the server does not start: \(outcome.errors)")
        throw CancellationError()
    }

    @Test(
        "It loads, checks and heals by itself, shows it, and takes nothing that lives for dead",
        .timeLimit(.minutes(30)), arguments: Engine.allCases)
    func byItself(engine: Engine) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let environment = simulator.environment([
                        "DATABASE_URL": location.url, "ZOHOSYNC_WEBHOOK_SECRET": Self.secret,
                        "ZOHOSYNC_SCHEDULE_FULL": "off",
                    ])
                    let (program, _) = try await Self.start(environment, isScheduled: true, folder: folder)
                    try await withDatabase(at: location, access: .readOnly) { database in
                        try await Self.wait(
                            database, for: "sync_schedule where state = 'completed' and name like 'incremental%'", 8)
                        try await Self.wait(
                            database, for: "sync_schedule where state = 'completed' and name like 'heal%'", 2)
                        #expect(try await Self.count(database, "products") == 450)
                        #expect(try await Self.count(database, "customers where detail_synced_at is null") == 0)
                    }
                    let shown = try await Program.run(["schedule", "--json"], environment, folder: folder)
                    let tasks = try #require(
                        try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [[String: Any]])
                    #expect(tasks.filter { $0["state"] as? String == "completed" }.count == 10)
                    #expect(!tasks.contains { $0["kind"] as? String == "full" })
                    let doctor = try await Program.run(["doctor", "--offline"], environment, folder: folder)
                    #expect(doctor.status == 0, "\(doctor.output)")
                    if engine == .postgres {
                        // What lives is not taken for dead.
                        let healed = try await Program.run(["heal", "--dry-run"], environment, folder: folder)
                        #expect(healed.output == "Nothing needs healing.\n")
                    }
                    program.send(SIGTERM)
                    let outcome = await program.outcome()
                    #expect(outcome.status == 0, "\(outcome.errors)")
                    #expect(!outcome.errors.contains(Self.secret))
                }
            }
        }
    }

    private static func count(_ database: any SQLDatabase, _ table: String) async throws -> Int {
        try await database.read { try $0.query("select count(*) from \(table)").first?.int(0).map { Int($0) } ?? -1 }
    }

    private static func wait(_ database: any SQLDatabase, for rows: String, _ number: Int) async throws {
        try await waitUntil("there are \(number) \(rows)") { (try? await count(database, rows)) ?? 0 >= number }
    }

    @Test("Stops on SIGTERM with 0, and what was acknowledged is in the mirror", arguments: Engine.allCases)
    func stops(engine: Engine) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let control = simulator.control
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    let (program, port) = try await Self.start(environment, folder: folder)
                    control.webhooks.rules = WebhookRule.all(below: "http://127.0.0.1:\(port)/api/zoho/webhooks")
                    for index in 0..<50 {
                        try control.edit(.items, id: control.id(.items, at: index), ["rate": 5])
                    }
                    try await control.settle()
                    program.send(SIGTERM)
                    #expect(await program.outcome().status == 0)
                    let acknowledged = Set(control.acknowledgedDeliveries.map(\.id)).count
                    try await withDatabase(at: location, access: .readOnly) { database in
                        let applied = try await Self.count(database, "products")
                        let waiting = try await Self.count(database, "sync_inbox")
                        #expect(applied + waiting == acknowledged)
                    }
                }
            }
        }
    }

    @Test(
        "SIGTERM under load ends what is under way, gives the rest back and spends no attempt",
        .timeLimit(.minutes(30)), arguments: Engine.allCases)
    func stopsUnderLoad(engine: Engine) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                // A reading is under way when it ends.
                var configuration = SimulatorConfiguration.small
                configuration.latency = .seconds(5)
                try await ZohoSimulator.withSimulator(configuration) { simulator in
                    let control = simulator.control
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    let (program, port) = try await Self.start(environment, folder: folder)
                    control.webhooks.rules = WebhookRule.all(below: "http://127.0.0.1:\(port)/api/zoho/webhooks")
                    control.webhooks.namesEvent = true
                    control.startTraffic(perSecond: 200)
                    // Stock deliveries are marks, and each asks for a reading after three seconds.
                    try await waitUntil("deliveries are stored, and a reading is under way") {
                        control.acknowledgedDeliveries.count >= 300 && control.statistics.calls > 0
                    }
                    let asked = ContinuousClock.now
                    program.send(SIGTERM)
                    let outcome = await program.outcome()
                    #expect(outcome.status == 0, "\(outcome.errors)")
                    #expect(ContinuousClock.now - asked < .seconds(25))
                    control.stopTraffic()
                    try await withDatabase(at: location, access: .readOnly) { database async throws -> Void in
                        let spent = "sync_inbox where attempts > 0 or deaths > 0 or claimed_by is not null"
                        #expect(try await Self.count(database, spent) == 0)
                        #expect(try await Self.count(database, "sync_dead_letters") == 0)
                    }
                }
            }
        }
    }

    @Test("Flags stand above the environment; what cannot be is refused with 2 and a sentence")
    func usage() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                let taken = try #require(simulator.baseURL.split(separator: ":").last.map(String.init))
                for (arguments, environment, hint) in [
                    (["--port", taken], [:], "cannot listen at 127.0.0.1:\(taken): Address already in use"),
                    (["--hostname", "0.0.0.0"], ["ZOHOSYNC_WEBHOOK_SECRET": "a"], "12 to 50"),
                    (["--hostname", "0.0.0.0"], ["ZOHOSYNC_WEBHOOK_KEY": " "], "could send webhooks"),
                    (
                        [], ["ZOHOSYNC_TLS_CERTIFICATE": "/nowhere.pem", "ZOHOSYNC_TLS_KEY": "/key.pem"],
                        "/nowhere.pem"
                    ),
                    (["--port", "70000"], [:], "0 to 65535"), (["--workers", "0"], [:], "1 to 16"),
                    (["--hostname", "0.0.0.0"], [:], "ZOHOSYNC_WEBHOOK_SECRET"),
                    ([], ["ZOHOSYNC_HOSTNAME": "0.0.0.0"], "ZOHOSYNC_WEBHOOK_KEY"),
                    ([], ["ZOHOSYNC_PORT": "many"], "ZOHOSYNC_PORT"), (["--log-format", "xml"], [:], "logfmt"),
                    ([], ["ZOHOSYNC_WORKERS": "99"], "ZOHOSYNC_WORKERS"),
                    ([], ["ZOHOSYNC_TLS_KEY": "/key.pem"], "ZOHOSYNC_TLS_CERTIFICATE"),
                ] as [([String], [String: String], String)] {
                    let outcome = try await Program.run(
                        ["serve"] + arguments, simulator.environment(environment), folder: folder)
                    #expect(outcome.status == 2, "\(arguments) \(environment): \(outcome.errors)")
                    #expect(outcome.errors.contains(hint), "\(outcome.errors)")
                }
            }
        }
    }

    @Test("Tokens are made once, listed without themselves, and revoked", arguments: Engine.allCases)
    func tokens(engine: Engine) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    let made = try await Program.run(
                        ["auth", "token", "create", "erp", "--role", "operate"], environment, folder: folder)
                    #expect(made.status == 0)
                    let token = made.output.trimmingCharacters(in: .newlines)
                    #expect(token.hasPrefix("zs_"))
                    #expect(token.count > 40)
                    let list = try await Program.run(["auth", "token", "list"], environment, folder: folder)
                    #expect(list.output.contains("erp"))
                    #expect(!list.output.contains(token))
                    let revoke = ["auth", "token", "revoke", "1"]
                    #expect(try await Program.run(revoke, environment, folder: folder).status == 0)
                    #expect(try await Program.run(revoke, environment, folder: folder).status == 1)
                }
            }
        }
    }

    @Test("Beside a server on SQLite, what changes the mirror says how to ask the server")
    func besideAServer() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                let environment = simulator.environment(["DATABASE_URL": "sqlite:mirror.sqlite"])
                let (program, _) = try await Self.start(environment, folder: folder)
                for (arguments, route) in [
                    (["auth", "token", "create", "erp"], "POST /api/zoho/tokens"),
                    (["auth", "token", "revoke", "1"], "DELETE /api/zoho/tokens/1"),
                    (["dead-letters", "retry"], "POST /api/zoho/dead-letters/retry"),
                ] {
                    let outcome = try await Program.run(arguments, environment, folder: folder)
                    #expect(outcome.status == 1)
                    #expect(outcome.errors.contains(route), "\(outcome.errors)")
                }
                program.send(SIGTERM)
                #expect(await program.outcome().status == 0)
            }
        }
    }

    @Test("Logs are lines of fields, in both formats, with the request's id from intake to apply")
    func logs() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                for format in ["logfmt", "json"] {
                    let environment = simulator.environment([
                        "ZOHOSYNC_LOG_LEVEL": "debug", "ZOHOSYNC_LOG_FORMAT": format,
                        "DATABASE_URL": "sqlite:\(format).sqlite",
                    ])
                    let (program, port) = try await Self.start(environment, folder: folder)
                    var request = URLRequest(
                        url: try #require(URL(string: "http://127.0.0.1:\(port)/api/zoho/webhooks/products")))
                    request.httpMethod = "POST"
                    request.setValue("trace-7", forHTTPHeaderField: "X-Request-Id")
                    let record = try #require(
                        simulator.control.record(.items, id: simulator.control.id(.items, at: 0)))
                    request.httpBody = Data("{\"item\":".utf8) + Data(record) + Data("}".utf8)
                    let (_, response) = try await URLSession.shared.data(for: request)
                    #expect((response as? HTTPURLResponse)?.statusCode == 202)
                    program.send(SIGTERM)
                    let lines = await program.outcome().errors.split(separator: "\n")
                    let mine = lines.filter { $0.contains("trace-7") }
                    for message in ["Delivery stored", "Request answered", "Delivery processed"] {
                        #expect(mine.contains { $0.contains(message) }, "\(message): \(lines)")
                    }
                    if format == "json" {
                        for line in lines {
                            #expect(throws: Never.self) {
                                try JSONSerialization.jsonObject(with: Data(line.utf8))
                            }
                        }
                    } else {
                        #expect(lines.allSatisfy { $0.hasPrefix("time=") })
                    }
                }
            }
        }
    }
}
