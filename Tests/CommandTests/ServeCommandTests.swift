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
    private static let secret = "demoSecret2026abc"

    /// Starts the server and waits until it listens.
    private static func start(
        _ environment: [String: String], port: Int = 0, isScheduled: Bool = false, folder: URL
    ) async throws -> (program: Program, port: Int) {
        // Sweeps would bring what a lost delivery did not.
        let arguments = ["serve", "--port", "\(port)"] + (isScheduled ? [] : ["--no-schedule"])
        let program = try Program(arguments, environment, folder: folder)
        for await line in program.outputLines {
            if let text = line.split(separator: ":").last, line.contains("serves at"), let port = Int(text) {
                return (program, port)
            }
        }
        let outcome = await program.outcome()
        Issue.record("the server does not start: \(outcome.errors)")
        throw CancellationError()
    }

    @Test(
        "It loads, checks and heals by itself, shows it, and takes nothing that lives for dead",
        .timeLimit(.minutes(10)), arguments: Engine.allCases)
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

    private static func wait(_ database: any SQLDatabase, for rows: String, _ number: Int) async throws {
        for _ in 0..<3_000 {
            if (try? await count(database, rows)) ?? 0 >= number { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("there are never \(number) \(rows)")
    }

    @Test(
        "Killed again and again under 200 deliveries a second, it loses none and ends in what Zoho holds",
        .serialized, .timeLimit(.minutes(10)), arguments: Engine.allCases)
    func killed(engine: Engine) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let control = simulator.control
                    let environment = simulator.environment([
                        "DATABASE_URL": location.url, "ZOHOSYNC_WEBHOOK_SECRET": Self.secret,
                    ])
                    let sync = try await Program.run(["sync"], environment, folder: folder)
                    #expect(sync.status == 0, "\(sync.errors)")
                    var (program, port) = try await Self.start(environment, folder: folder)
                    var webhooks = control.webhooks
                    webhooks.rules = WebhookRule.all(below: "http://127.0.0.1:\(port)/api/zoho/webhooks")
                    webhooks.secret = Self.secret
                    webhooks.namesEvent = true
                    webhooks.duplicates = 0.1
                    webhooks.reordering = 0.1
                    webhooks.retries = 100
                    webhooks.retryGrowth = .fixed
                    webhooks.retryInterval = .milliseconds(200)
                    control.webhooks = webhooks
                    control.startTraffic(perSecond: 200)
                    for _ in 0..<4 {
                        try await Task.sleep(for: .milliseconds(Int.random(in: 300...1_500)))
                        program.send(SIGKILL)
                        _ = await program.outcome()
                        program = try await Self.start(environment, port: port, folder: folder).program
                    }
                    try await Task.sleep(for: .milliseconds(500))
                    control.stopTraffic()
                    try await control.settle()
                    #expect(control.webhookStatistics.failed == 0)
                    #expect(control.acknowledgedDeliveries.count > 300)

                    try await withDatabase(at: location, access: .readOnly) { database in
                        try await Self.waitUntilEmpty(database)
                        #expect(try await Self.count(database, "sync_dead_letters where state = 'open'") == 0)
                        for (module, table, key) in Self.modules {
                            try await Self.expectEqual(control, module, database, table, key)
                        }
                    }
                    program.send(SIGTERM)
                    let outcome = await program.outcome()
                    #expect(outcome.status == 0, "\(outcome.errors)")
                    #expect(!outcome.errors.contains(Self.secret))

                    // Whoever compares everything finds nothing to change either.
                    let check = try await Program.run(["sync", "--full", "--json"], environment, folder: folder)
                    let document = try JSONSerialization.jsonObject(with: Data(check.output.utf8)) as? [String: Any]
                    for run in try #require(document?["runs"] as? [[String: Any]])
                    where run["entity"] as? String != "pricelists" {
                        let counts = try #require(run["counts"] as? [String: Int])
                        let changed = ["inserted", "deleted", "restored", "failed"].filter { counts[$0] != 0 }
                        #expect(changed.isEmpty, "\(run["entity"] ?? ""): \(counts)")
                    }
                }
            }
        }
    }

    private static let modules: [(SimulatorModule, table: String, key: String)] = [
        (.items, "products", "zoho_item_id"), (.contacts, "customers", "zoho_contact_id"),
        (.contacts, "vendors", "zoho_contact_id"), (.invoices, "invoices", "zoho_invoice_id"),
        (.bills, "bills", "zoho_bill_id"), (.creditnotes, "credit_notes", "zoho_creditnote_id"),
        (.salesorders, "sales_orders", "zoho_salesorder_id"),
        (.customerpayments, "customer_payments", "zoho_payment_id"),
    ]

    private static func count(_ database: any SQLDatabase, _ table: String) async throws -> Int {
        try await database.read { try $0.query("select count(*) from \(table)").first?.int(0).map { Int($0) } ?? -1 }
    }

    private static func waitUntilEmpty(_ database: any SQLDatabase) async throws {
        for _ in 0..<1_800 {
            if try await count(database, "sync_inbox") == 0 { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        Issue.record("the inbox is not worked off: \(try await count(database, "sync_inbox"))")
    }

    /// Expects that a table holds exactly the module's records, every member of each as the simulator has it.
    private static func expectEqual(
        _ control: SimulatorControl, _ module: SimulatorModule, _ database: any SQLDatabase, _ table: String,
        _ key: String
    ) async throws {
        var expected: [String: NSDictionary] = [:]
        for id in control.ids(module) {
            let bytes = try #require(control.record(module, id: id))
            let record = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? NSDictionary)
            if module == .contacts, record["contact_type"] as? String != String(table.dropLast()) { continue }
            expected[id] = record
        }
        let rows = try await database.read { transaction in
            try transaction.query("select \(key), zoho_data from \(table) where deleted_at is null").map {
                ($0.text(0) ?? "", Data($0.json(1) ?? []))
            }
        }
        #expect(Set(rows.map(\.0)) == Set(expected.keys), "\(table)")
        for (id, data) in rows {
            let stored = try #require(try JSONSerialization.jsonObject(with: data) as? NSDictionary)
            for (name, value) in expected[id] ?? [:] {
                guard let name = name as? String, let kept = stored[name] else { continue }
                #expect(
                    isSaid(value, by: kept), "\(table) \(id): \(name) is \(kept), not \(value)")
            }
        }
    }

    /// Whether a value says the same as another one, which may say more: webhooks add texts for people.
    private static func isSaid(_ value: Any, by other: Any) -> Bool {
        if let members = value as? [String: Any], let others = other as? [String: Any] {
            return members.allSatisfy { name, member in others[name].map { isSaid(member, by: $0) } ?? true }
        }
        if let elements = value as? [Any], let others = other as? [Any] {
            return elements.count == others.count && zip(elements, others).allSatisfy { isSaid($0, by: $1) }
        }
        return NSArray(object: value) == NSArray(object: other)
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

    @Test("Flags stand above the environment; what cannot be is refused with 2 and a sentence")
    func usage() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                for (arguments, environment, hint) in [
                    (["--port", "70000"], [:], "70000"), (["--workers", "0"], [:], "1 to 16"),
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
