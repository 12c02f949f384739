import Catalog
import Database
import Foundation
import Logging
import Mirror
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

/// Each test breaks the real thing, and sees the check change and come back.
@Suite("Health")
struct HealthTests {
    /// The checks by name, as a process finds them.
    static func checks(
        _ rig: Rig, _ depth: HealthInspector.Depth = .mirror, thresholds: HealthThresholds = .init(),
        organizationID: String? = nil, askedOrganizationID: String? = nil, expectsWebhooks: Bool = false,
        freeDisk: Double = 50
    ) async throws -> [String: HealthCheck] {
        try await rig.withClient(organizationID: askedOrganizationID) { client in
            let inspector = HealthInspector(
                mirror: rig.mirror, client: client, organizationID: organizationID, thresholds: thresholds,
                expectsWebhooks: expectsWebhooks, disk: { _ in (freeDisk, 100) }, clock: ManualClock())
            return byName(await inspector.inspect(depth))
        }
    }

    static func byName(_ checks: [HealthCheck]) -> [String: HealthCheck] {
        #expect(Set(checks.map(\.name)).count == checks.count, "a check has one state")
        return Dictionary(checks.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("A mirror in use is well in every check", arguments: Engine.allCases)
    func well(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let checks = try await Self.checks(rig, .source)
            #expect(checks.values.filter { $0.state != .ok }.map(\.name) == [])
            let names: Set = [
                "database", "database_latency_ms", "disk_used_percent", "schema", "privileges", "row_level_security",
                "organisation", "token", "scopes", "clock_skew_seconds", "inbox_depth", "inbox_age_seconds",
                "dead_letters", "worker_silence_seconds", "leases_stuck", "cursor_age_seconds", "runs_failed",
                "runs_endless", "drift", "deliveries_unreadable", "deliveries_refused", "deliveries_to_unknown_paths",
                "deliveries_turned_away", "webhooks_today", "silent_webhooks",
            ]
            #expect(names.subtracting(checks.keys) == [])
        }
    }

    // MARK: - The work

    @Test("A full inbox and an old delivery are seen, and gone when they are worked on", arguments: Engine.allCases)
    func inbox(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func deliver(_ number: Int) async throws {
                let deliveries = try (0..<number).map { index in
                    let id = rig.control.id(.items, at: index)
                    let record = try #require(rig.control.record(.items, id: id))
                    return NewDelivery(
                        entity: "products", content: .readable(.record, zohoID: id, record: RawJSON(record[...])),
                        receivedAt: rig.mirror.now(), requestID: nil)
                }
                _ = try await rig.mirror.store(deliveries)
            }
            try await deliver(51)
            #expect(try await Self.checks(rig)["inbox_depth"]?.state == .warning)
            try await deliver(150)
            #expect(try await Self.checks(rig)["inbox_depth"]?.state == .critical)
            rig.control.advanceClock(by: .seconds(1_801))
            #expect(try await Self.checks(rig)["inbox_age_seconds"]?.state == .warning)
            rig.control.advanceClock(by: .seconds(5_400))
            #expect(try await Self.checks(rig)["inbox_age_seconds"]?.state == .critical)
            try await rig.withClient { client in
                try await DeliveryProcessor(
                    mirror: rig.mirror, client: client, process: "test:1", logger: Logger(label: "test")
                ).drainOnce()
            }
            let checks = try await Self.checks(rig)
            #expect(checks["inbox_depth"]?.state == .ok)
            #expect(checks["inbox_age_seconds"]?.state == .ok)
        }
    }

    @Test("An entity that was not looked at for long is seen until the next sync", arguments: Engine.allCases)
    func cursors(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            #expect(try await Self.checks(rig)["cursor_age_seconds"]?.state == .warning, "nothing was loaded yet")
            try await rig.sync()
            rig.control.advanceClock(by: .seconds(7 * 3_600))
            #expect(try await Self.checks(rig)["cursor_age_seconds"]?.state == .warning)
            rig.control.advanceClock(by: .seconds(20 * 3_600))
            #expect(try await Self.checks(rig)["cursor_age_seconds"]?.state == .critical)
            try await rig.sync()
            #expect(try await Self.checks(rig)["cursor_age_seconds"]?.state == .ok)
        }
    }

    @Test(
        "An entity that was never loaded is seen, and one that the organisation lacks is not",
        arguments: Engine.allCases)
    func neverLoaded(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.disabledModules = [.salesorders]
        } _: { rig in
            func check() async throws -> HealthCheck { try #require(try await Self.checks(rig)["cursor_age_seconds"]) }
            try await rig.sync(["products"])
            #expect(try await check().state == .warning)
            #expect(try await check().parts?.keys.sorted() == ["products"])
            try await rig.sync()
            #expect(try await check().state == .ok, "there are no sales orders")
            let run = try #require(try await rig.mirror.runs(entity: "bills", limit: 1).first)
            _ = try await RunUndo(mirror: rig.mirror, process: "test:1").undo(run.id, isRehearsal: false)
            let taken = try await check()
            #expect(taken.state == .warning)
            #expect(taken.advice == "There is no complete copy of bills. Run zohosync sync.")
            #expect(taken.parts?["bills"] == nil)
            #expect(taken.parts?["invoices"] ?? -1 >= 0)
            #expect(taken.parts?["sales_orders"] == nil)
            try await rig.sync(["bills"])
            #expect(try await check().state == .ok)
        }
    }

    @Test("A run counts as abandoned only after a while without its lease, and as endless when it was set to")
    func endlessRuns() async throws {
        try await Rig.with(.sqlite) { rig in
            func state(_ seconds: Double = 86_400) async throws -> HealthCheck.State? {
                var thresholds = HealthThresholds()
                thresholds.set("runs_endless", seconds: seconds)
                return try await Self.checks(rig, thresholds: thresholds)["runs_endless"]?.state
            }
            _ = try await rig.mirror.beginRun(of: "bills", kind: .full, options: "{}", holder: "test:1")
            #expect(try await state() == .ok, "it may have begun or ended at this moment")
            rig.control.advanceClock(by: .seconds(61))
            #expect(try await state() == .warning)
            try await rig.mirror.acquireLease("sync bills", holder: "test:1", duration: 60)
            #expect(try await state() == .ok)
            rig.control.advanceClock(by: .seconds(70))
            #expect(try await state() == .ok, "it is late in renewing its lease")
            #expect(try await state(120) == .warning)
            rig.control.advanceClock(by: .seconds(60))
            #expect(try await state() == .warning)
        }
    }

    @Test("How long a lease has to be lapsed is configuration")
    func stuckLeases() async throws {
        try await Rig.with(.sqlite) { rig in
            var thresholds = HealthThresholds()
            thresholds.set("leases_stuck", seconds: 10)
            try await rig.mirror.acquireLease("sync bills", holder: "test:1", duration: 60)
            rig.control.advanceClock(by: .seconds(71))
            #expect(try await Self.checks(rig, thresholds: thresholds)["leases_stuck"]?.state == .warning)
            #expect(try await Self.checks(rig)["leases_stuck"]?.state == .ok)
        }
    }

    @Test(
        "A worker that hangs on a call is seen while others work, and well when it works again",
        .timeLimit(.minutes(30)))
    func stuckWorker() async throws {
        let answers = ManualClock()
        try await Rig.with(.postgres) {
            $0.slowAnswer = .seconds(600)
            $0.clock = answers
        } _: { rig in
            let id = rig.control.id(.invoices, at: 0)
            rig.control.script(.slowAnswer, next: 1, prefix: "/invoices")
            _ = try await rig.mirror.mark([id], of: try #require(Catalog.entity(named: "invoices")))
            try await rig.withClient { client in
                func withWorkers(
                    _ body: (_ untilProcessed: (_ entity: String) async throws -> Void) async throws -> Void
                ) async throws {
                    let (reports, continuation) = AsyncStream.makeStream(of: DeliveryReport.self)
                    let processor = DeliveryProcessor(
                        mirror: rig.mirror, client: client, process: "test:1",
                        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
                    ) { continuation.yield($0) }
                    try await withThrowingTaskGroup { group in
                        group.addTask { try await processor.run() }
                        try await body { entity in _ = await reports.first { $0.entity == entity } }
                        group.cancelAll()
                        try await group.waitForAll()
                    }
                }
                func silence() async throws -> HealthCheck.State? {
                    try await Self.checks(rig, expectsWebhooks: true)["worker_silence_seconds"]?.state
                }
                try await withWorkers { untilProcessed in
                    try await answers.untilAsleep()
                    try await rig.deliverProduct(at: 0)
                    try await untilProcessed("products")
                    #expect(try await silence() == .ok)
                    rig.control.advanceClock(by: .seconds(901))
                    try await rig.deliverProduct(at: 1)
                    try await untilProcessed("products")
                    #expect(try await silence() == .critical)
                }
                try await withWorkers { untilProcessed in
                    try await untilProcessed("invoices")
                    #expect(try await rig.value("select count(*) from invoices") == "1")
                    #expect(try await silence() == .ok)
                }
            }
        }
    }

    @Test("A run that failed is seen until one has worked", arguments: Engine.allCases)
    func failedRuns(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            try await rig.mirror.database.write { try $0.script("alter table bills rename to elsewhere") }
            try rig.control.edit(.bills, at: 0, ["reference_number": "R-1"])
            _ = try? await rig.sync(["bills"])
            try await rig.mirror.database.write { try $0.script("alter table elsewhere rename to bills") }
            let check = try await Self.checks(rig)["runs_failed"]
            #expect(check?.state == .warning)
            #expect(check?.parts == ["bills": 1])
            try await rig.sync(["bills"])
            #expect(try await Self.checks(rig)["runs_failed"]?.state == .ok)
        }
    }

    // MARK: - Webhooks

    @Test("Changes that no webhook announced are seen, entity by entity", arguments: Engine.allCases)
    func silence(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            rig.control.advanceClock(by: .seconds(60))
            for index in 0..<5 { try rig.control.edit(.items, at: index, ["rate": 99.5]) }
            try await rig.sync()
            #expect(
                try await Self.checks(rig)["silent_webhooks"]?.state == .ok, "nobody expects webhooks")
            let check = try await Self.checks(rig, expectsWebhooks: true)["silent_webhooks"]
            #expect(check?.state == .warning)
            #expect(check?.parts == ["products": 5])
            #expect(check?.advice.contains("no webhook came for products") == true)
            rig.control.advanceClock(by: .seconds(86_500))
            #expect(try await Self.checks(rig, expectsWebhooks: true)["silent_webhooks"]?.state == .ok)
        }
    }

    @Test("What a first sync after an undo brings back was not kept silent", arguments: Engine.allCases)
    func silenceAfterUndo(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func figure() async throws -> Double? {
                try await Self.checks(rig, expectsWebhooks: true)["silent_webhooks"]?.figure
            }
            try await rig.sync(["products"])
            let run = try #require(try await rig.mirror.runs(limit: 1).first)
            rig.control.advanceClock(by: .seconds(60))
            _ = try await RunUndo(mirror: rig.mirror, process: "test:1").undo(run.id, isRehearsal: false)
            rig.control.advanceClock(by: .seconds(60))
            try await rig.sync(["products"])
            #expect(try await rig.value("select count(*) from products") == "450")
            #expect(try await figure() == 0)
            rig.control.advanceClock(by: .seconds(60))
            for index in 0..<5 { try rig.control.edit(.items, at: index, ["rate": 99.5]) }
            try await rig.sync(["products"])
            #expect(try await figure() == 5)
        }
    }

    @Test("What is turned away, and the day's webhooks, are counted across restarts", arguments: Engine.allCases)
    func arrivals(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let time = rig.mirror.now()
            let day = String(Timestamp.text(time).prefix(10))
            func add(_ kind: Arrival.Kind, _ subject: String, _ number: Int) async throws {
                try await rig.mirror.add([
                    Arrival(kind: kind, subject: subject, day: day, number: number, lastAt: time)
                ])
            }
            try await add(.received, "products", 801)
            try await add(.refused, "invoices", 1)
            try await add(.unreadable, "invoices", 1)
            try await add(.unknownPath, "/old", 60)
            try await add(.unknownPath, "/old", 60)
            let checks = try await Self.checks(rig)
            #expect(checks["webhooks_today"]?.state == .warning)
            #expect(checks["deliveries_refused"]?.state == .warning)
            #expect(checks["deliveries_unreadable"]?.state == .warning)
            #expect(checks["deliveries_to_unknown_paths"]?.state == .warning, "strangers raise no alarm")
            #expect(checks["deliveries_to_unknown_paths"]?.parts == ["/old": 120])
            try await add(.received, "invoices", 150)
            #expect(try await Self.checks(rig)["webhooks_today"]?.state == .critical)
            rig.control.advanceClock(by: .seconds(86_401))
            let later = try await Self.checks(rig)
            #expect(later["webhooks_today"]?.state == .ok)
            #expect(later["deliveries_to_unknown_paths"]?.state == .ok)
        }
    }
}
