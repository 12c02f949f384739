import Database
import Foundation
import TestSupport
import Testing
import ZohoSimulator

@Suite("zohosync serve, killed")
struct KillTests {
    private static let kills = 4

    @Test(
        "Killed again and again under 200 deliveries a second, it loses none and ends in what Zoho holds",
        .serialized, .timeLimit(.minutes(30)), arguments: Engine.allCases)
    func killed(engine: Engine) async throws {
        let given = ProcessInfo.processInfo.environment["ZOHOSYNC_TEST_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: 1...1_000_000)
        var generator = SeededGenerator(seed: seed)
        let lives = (0..<Self.kills).map { _ in Int.random(in: 80...300, using: &generator) }
        let story = Comment(rawValue: "ZOHOSYNC_TEST_SEED=\(seed), killed after \(lives) deliveries")
        try await withFolder { folder in
            try await withLocation(engine) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    let environment = simulator.environment([
                        "DATABASE_URL": location.url, "ZOHOSYNC_WEBHOOK_SECRET": ServeCommandTests.secret,
                    ])
                    let sync = try await Program.run(["sync"], environment, folder: folder)
                    #expect(sync.status == 0, "\(sync.errors)")
                    let listed = Set(simulator.control.ids(.customerpayments))
                    let program = try await Self.killUnderTraffic(
                        simulator.control, environment, lives: lives, folder: folder)
                    #expect(simulator.control.webhookStatistics.failed == 0, story)
                    let copy = try await withDatabase(at: location, access: .readOnly) { database in
                        try await Self.waitUntilEmpty(database)
                        #expect(try await Self.count(database, "sync_dead_letters where state = 'open'") == 0, story)
                        try await Self.expectAcknowledged(simulator.control, database, story)
                        for table in Self.tables {
                            try await Self.expectData(simulator.control, database, table, story)
                        }
                        return try await Self.contents(database, listed: listed)
                    }
                    program.send(SIGTERM)
                    let outcome = await program.outcome()
                    #expect(outcome.status == 0, "\(outcome.errors)")
                    #expect(!outcome.errors.contains(ServeCommandTests.secret))
                    // What a mirror holds that was never killed, and never had a delivery.
                    try await withLocation(engine) { fresh in
                        let environment = simulator.environment(["DATABASE_URL": fresh.url])
                        let sync = try await Program.run(["sync"], environment, folder: folder)
                        #expect(sync.status == 0, "\(sync.errors)")
                        let expected = try await withDatabase(at: fresh, access: .readOnly) {
                            try await Self.contents($0, listed: listed)
                        }
                        for (table, rows) in expected {
                            let missing = rows.subtracting(copy[table] ?? [])
                            let surplus = (copy[table] ?? []).subtracting(rows)
                            #expect(missing.sorted().prefix(2) == [], "\(table) lacks \(missing.count); \(story)")
                            #expect(surplus.sorted().prefix(2) == [], "\(table) has \(surplus.count); \(story)")
                        }
                    }
                }
            }
        }
    }

    /// - Parameter lives: how many deliveries each process acknowledges before it is killed.
    private static func killUnderTraffic(
        _ control: SimulatorControl, _ environment: [String: String], lives: [Int], folder: URL
    ) async throws -> Program {
        var (program, port) = try await ServeCommandTests.start(
            environment, port: freePort(), folder: folder)
        var webhooks = control.webhooks
        webhooks.rules = WebhookRule.all(below: "http://127.0.0.1:\(port)/api/zoho/webhooks")
        webhooks.secret = ServeCommandTests.secret
        webhooks.namesEvent = true
        webhooks.duplicates = 0.1
        webhooks.reordering = 0.1
        webhooks.retries = 3_000
        webhooks.retryGrowth = .fixed
        webhooks.retryInterval = .milliseconds(200)
        control.webhooks = webhooks
        control.startTraffic(perSecond: 200)
        for life in lives {
            let before = control.acknowledgedDeliveries.count
            try await waitUntil("\(life) deliveries are acknowledged") {
                control.acknowledgedDeliveries.count >= before + life
            }
            program.send(SIGKILL)
            _ = await program.outcome()
            program = try await ServeCommandTests.start(environment, port: port, folder: folder).program
        }
        control.stopTraffic()
        try await control.settle()
        return program
    }

    // MARK: - What the mirror holds

    private struct Table {
        let name: String
        let key: String
        let module: SimulatorModule
        var children: [String] = []
        /// Whether a record of the module belongs here.
        var owns: @Sendable (NSDictionary) -> Bool = { _ in true }
    }

    private static let tables = [
        Table(name: "products", key: "zoho_item_id", module: .items),
        Table(
            name: "customers", key: "zoho_contact_id", module: .contacts,
            children: ["customer_addresses", "customer_contacts"]
        ) { $0["contact_type"] as? String == "customer" },
        Table(
            name: "vendors", key: "zoho_contact_id", module: .contacts,
            children: ["vendor_addresses", "vendor_contacts"]
        ) { $0["contact_type"] as? String == "vendor" },
        Table(name: "invoices", key: "zoho_invoice_id", module: .invoices, children: ["invoice_line_items"]),
        Table(name: "bills", key: "zoho_bill_id", module: .bills, children: ["bill_line_items"]),
        Table(
            name: "credit_notes", key: "zoho_creditnote_id", module: .creditnotes, children: ["credit_note_line_items"]),
        Table(
            name: "sales_orders", key: "zoho_salesorder_id", module: .salesorders, children: ["sales_order_line_items"]),
        Table(
            name: "customer_payments", key: "zoho_payment_id", module: .customerpayments,
            children: ["customer_payment_invoices"]),
    ]

    /// Every row of every table, all columns but our own numbers and times; children beside their record's id.
    ///
    /// - Parameter listed: the payments that a list has shown.
    private static func contents(
        _ database: any SQLDatabase, listed: Set<String>
    ) async throws -> [String: Set<String>] {
        let own: Set = ["id", "synced_at", "detail_synced_at", "observed_at", "zoho_data"]
        // A payment that only a webhook has told of lacks what only lists say (reference, section 6.7) until the next
        // sync, and so does its hash, which follows from all columns.
        let onlyListed: Set = ["invoice_numbers", "content_hash"]
        var contents: [String: Set<String>] = [:]
        for table in tables {
            let parentColumn = "\(table.name.dropLast())_id"
            for name in [table.name] + table.children {
                contents[name] = try await database.read { transaction in
                    let columns = try transaction.columnNames(of: name).filter {
                        !own.contains($0) && (name == table.name || $0 != parentColumn)
                    }.sorted()
                    let list = columns.map { "row.\($0)" }.joined(separator: ", ")
                    let source =
                        name == table.name
                        ? "\(name) row where deleted_at is null"
                        : "\(name) row join \(table.name) parent on parent.id = row.\(parentColumn) "
                            + "where parent.deleted_at is null"
                    let key = name == table.name ? "row.\(table.key)" : "parent.\(table.key)"
                    return Set(
                        try transaction.query("select \(key), \(list) from \(source)").map { row in
                            let isListed = table.module != .customerpayments || listed.contains(row.text(0) ?? "")
                            return zip([table.key] + columns, row.values)
                                .filter { isListed || !onlyListed.contains($0.0) }
                                .map { "\($0)=\($1)" }.joined(separator: " ")
                        })
                }
            }
        }
        return contents
    }

    /// Expects that no acknowledged delivery is lost: its record has a row, which is no older than what was told.
    private static func expectAcknowledged(
        _ control: SimulatorControl, _ database: any SQLDatabase, _ story: Comment
    ) async throws {
        var rows: [String: (modified: String, isDeleted: Bool)] = [:]
        for table in tables {
            let query = "select \(table.key), zoho_data, deleted_at from \(table.name)"
            for row in try await database.read({ try $0.query(query) }) {
                let data = try JSONSerialization.jsonObject(with: Data(row.json(1) ?? [])) as? [String: Any]
                let modified = (data?["last_modified_time"] ?? data?["updated_time"]) as? String
                rows[row.text(0) ?? ""] = (modified ?? "", row.instant(2) != nil)
            }
        }
        for delivery in control.acknowledgedDeliveries {
            guard let row = rows[delivery.id] else {
                Issue.record("\(delivery) was acknowledged and is lost; \(story)")
                continue
            }
            // All times are of one zone, so that their texts have their order.
            #expect(row.isDeleted || row.modified >= delivery.lastModifiedTime, "\(delivery) is lost; \(story)")
        }
        let gone = rows.filter { $0.value.isDeleted }.keys
        for table in tables {
            let there = Set(control.ids(table.module))
            #expect(gone.filter { there.contains($0) } == [], "\(table.name); \(story)")
        }
    }

    /// What only some shapes of a record have, so that a row that was brought by a webhook may lack it.
    private static let optional: Set<String> = []

    /// Expects that a table's raw records hold every member of the module's records as the simulator has it.
    private static func expectData(
        _ control: SimulatorControl, _ database: any SQLDatabase, _ table: Table, _ story: Comment
    ) async throws {
        var expected: [String: NSDictionary] = [:]
        for id in control.ids(table.module) {
            let bytes = try #require(control.record(table.module, id: id))
            let record = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? NSDictionary)
            if table.owns(record) { expected[id] = record }
        }
        let rows = try await database.read { transaction in
            try transaction.query("select \(table.key), zoho_data from \(table.name) where deleted_at is null").map {
                ($0.text(0) ?? "", Data($0.json(1) ?? []))
            }
        }
        #expect(Set(rows.map(\.0)) == Set(expected.keys), "\(table.name); \(story)")
        for (id, data) in rows {
            let stored = try #require(try JSONSerialization.jsonObject(with: data) as? NSDictionary)
            let different = (expected[id] as? [String: Any] ?? [:]).filter { name, value in
                guard let kept = stored[name] else { return !optional.contains(name) }
                return !isSaid(value, by: kept)
            }
            #expect(different.keys.sorted() == [], "\(table.name) \(id); \(story)")
        }
    }

    /// Whether a value says the same as another one, which may say more: webhooks add texts for people.
    private static func isSaid(_ value: Any, by other: Any) -> Bool {
        if let members = value as? [String: Any], let others = other as? [String: Any] {
            return members.allSatisfy { name, member in others[name].map { isSaid(member, by: $0) } ?? false }
        }
        if let elements = value as? [Any], let others = other as? [Any] {
            return elements.count == others.count && zip(elements, others).allSatisfy { isSaid($0, by: $1) }
        }
        return NSArray(object: value) == NSArray(object: other)
    }

    private static func count(_ database: any SQLDatabase, _ table: String) async throws -> Int {
        try await database.read { try $0.query("select count(*) from \(table)").first?.int(0).map { Int($0) } ?? -1 }
    }

    private static func waitUntilEmpty(_ database: any SQLDatabase) async throws {
        try await waitUntil("the inbox is worked off") { try await count(database, "sync_inbox") == 0 }
    }
}
