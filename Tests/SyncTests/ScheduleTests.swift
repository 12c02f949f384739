import Catalog
import Database
import Foundation
import Logging
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Triggers")
struct TriggerTests {
    private static func date(_ text: String) throws -> Date {
        try #require(try? Date(text, strategy: .iso8601))
    }

    private static func next(_ expression: String, after text: String, in zone: String = "UTC") throws -> String? {
        let cron = try #require(CronExpression(expression), "\(expression)")
        return cron.next(after: try date(text), in: try #require(TimeZone(identifier: zone)))?.formatted(.iso8601)
    }

    @Test(
        "A cron expression comes when its fields say",
        arguments: [
            ("*/15 * * * *", "2026-03-02T12:00:00Z", "2026-03-02T12:15:00Z"),
            ("*/15 * * * *", "2026-03-02T12:14:59Z", "2026-03-02T12:15:00Z"),
            ("0 2 * * *", "2026-03-02T02:00:00Z", "2026-03-03T02:00:00Z"),
            ("30 8-18/2 * * mon-fri", "2026-03-06T18:30:00Z", "2026-03-09T08:30:00Z"),
            ("0 0 1 jan *", "2026-03-02T12:00:00Z", "2027-01-01T00:00:00Z"),
            ("0 0 29 2 *", "2026-03-02T12:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 13 * fri", "2026-03-02T12:00:00Z", "2026-03-06T00:00:00Z"),
            ("5,35 */6 * * *", "2026-03-02T12:05:00Z", "2026-03-02T12:35:00Z"),
            ("0 0 * * 7", "2026-03-02T12:00:00Z", "2026-03-08T00:00:00Z"),
            ("10/20 0 * * *", "2026-03-02T00:10:00Z", "2026-03-02T00:30:00Z"),
            ("@hourly", "2026-03-02T12:00:00Z", "2026-03-02T13:00:00Z"),
            ("@WEEKLY", "2026-03-02T12:00:00Z", "2026-03-08T00:00:00Z"),
        ])
    func cron(expression: String, after: String, expected: String) throws {
        #expect(try Self.next(expression, after: after) == expected)
    }

    @Test(
        "The change to summer time and back loses no night and doubles none",
        arguments: [
            // 02:00 to 03:00 is left out on 29 March 2026 in Berlin: it comes when the clock goes on.
            ("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
            // 02:00 to 03:00 comes twice on 25 October 2026: the first time counts.
            ("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            // Every hour is every hour.
            ("30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            ("30 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
        ])
    func summerTime(expression: String, after: String, expected: String) throws {
        #expect(try Self.next(expression, after: after, in: "Europe/Berlin") == expected)
    }

    @Test(
        "What is no expression, or never comes, is refused",
        arguments: [
            "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *", "a * * * *", "1,,2 * * * *", "+5 * * * *", "0 0 30 2 *", "@often", "-1 * * * *",
        ])
    func refused(expression: String) {
        #expect(CronExpression(expression) == nil)
    }

    @Test(
        "Intervals are read and shown",
        arguments: [("15m", 900), ("1h30m", 5_400), ("90s", 90), ("2d", 172_800), ("60m", 3_600)])
    func intervals(text: String, seconds: Int) throws {
        let trigger = try #require(Trigger(text))
        #expect(trigger == .every(seconds))
        #expect(Trigger(trigger.description) == trigger)
        #expect(trigger.timesPerDay() == 86_400 / Double(seconds))
    }

    @Test("Other words are no trigger", arguments: ["15", "m", "10s", "32d", "99999999999999999999d", "1x", "now"])
    func noTrigger(text: String) {
        #expect(Trigger(text) == nil)
    }

    @Test("How often a day is counted for expressions too")
    func timesPerDay() {
        #expect(Trigger("off")?.timesPerDay() == 0)
        #expect(Trigger("*/15 * * * *")?.timesPerDay() == 96)
        #expect(Trigger("0 2 * * *")?.timesPerDay() == 1)
        #expect(Trigger("0 2 * * sun")?.timesPerDay() == 1.0 / 7)
    }
}

@Suite("Schedule")
struct ScheduleTests {
    /// What was asked of a scheduler's work.
    private final class Log: Sendable {
        private let entries = Mutex<[String]>([])
        var all: [String] { entries.withLock { $0 } }
        func add(_ entry: String) { entries.withLock { $0.append(entry) } }
        func take() -> [String] {
            entries.withLock { entries in
                defer { entries = [] }
                return entries
            }
        }
    }

    private static func work(_ log: Log, fails: Bool = false) -> ScheduledWork {
        ScheduledWork(
            synchronise: { options in
                log.add("\(options.mode.rawValue) \(options.entities.sorted().joined(separator: " "))")
                if fails { throw SyncRunsError.running(entity: "products") }
                var report = SyncReport()
                report.runs = options.entities.map {
                    Run(id: 1, entity: $0, kind: .full, state: .completed, startedAt: 0)
                }
                return report
            },
            reconcile: { options in
                log.add("reconcile \(options.entities.joined(separator: " "))")
                return ReconciliationReport(entities: [], cost: .init(), calls: 0)
            },
            checkHealth: {
                log.add("health")
                return "ok"
            },
            heal: {
                log.add("heal")
                return []
            })
    }

    private static func scheduler(
        _ mirror: Mirror, _ log: Log, holder: String = "test:1", schedule: Schedule = .standard, fails: Bool = false
    ) throws -> Scheduler {
        Scheduler(
            schedule, zone: try #require(TimeZone(identifier: "UTC")), mirror: mirror, holder: holder,
            isDead: { _ in false }, work: work(log, fails: fails), random: { 0 },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private static let everything =
        "automatic bills credit_notes customer_payments customers invoices pricelists products "
        + "sales_orders vendors"

    @Test(
        "Sweeps and checks begin at once, nights are waited for, and nothing comes before its time",
        arguments: Engine.allCases)
    func pace(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let log = Log()
            let scheduler = try Self.scheduler(mirror, log)
            await scheduler.runDue()
            #expect(log.take().sorted() == [Self.everything, "heal", "health"])
            await scheduler.runDue()
            #expect(log.take() == [])
            for _ in 0..<14 {
                time.advance(by: 60)
                await scheduler.runDue()
            }
            #expect(log.take() == [])
            time.advance(by: 60)
            await scheduler.runDue()
            #expect(log.take().sorted() == [Self.everything, "health"])
            // From 12:15 to 02:00.
            time.advance(by: 13.75 * 3_600)
            await scheduler.runDue()
            #expect(log.take().contains { $0.hasPrefix("full bills") })
            time.advance(by: 2 * 3_600)
            await scheduler.runDue()
            #expect(log.take().filter { $0.hasPrefix("reconcile") }.count == 8)
        }
    }

    @Test("What was missed comes once", arguments: Engine.allCases)
    func missed(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let log = Log()
            try await Self.scheduler(mirror, log).runDue()
            _ = log.take()
            time.advance(by: 5 * 86_400)
            // A server that was started anew.
            let scheduler = try Self.scheduler(mirror, log, holder: "test:2")
            await scheduler.runDue()
            let first = log.take()
            #expect(first.filter { $0.hasPrefix("full") }.count == 1)
            #expect(first.filter { $0.hasPrefix("automatic") }.count == 1)
            #expect(first.contains("heal"))
            await scheduler.runDue()
            #expect(log.take() == [])
        }
    }

    @Test("Of two servers one does it", arguments: Engine.allCases)
    func twoServers(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let log = Log()
            let schedulers = try ["a:1", "b:2"].map { try Self.scheduler(mirror, log, holder: $0) }
            for _ in 0..<5 {
                await withDiscardingTaskGroup { group in
                    for scheduler in schedulers { group.addTask { await scheduler.runDue() } }
                }
                let done = log.take()
                // Each may have begun some of it.
                let entities = done.filter { $0.hasPrefix("automatic") }.flatMap {
                    $0.split(separator: " ").dropFirst()
                }
                #expect(entities.count == 9)
                #expect(Set(entities).count == 9)
                #expect(done.filter { !$0.hasPrefix("automatic") }.sorted() == ["heal", "health"])
                time.advance(by: 3_600)
            }
        }
    }

    @Test("What meets another run of its entities waits five minutes", arguments: Engine.allCases)
    func postponed(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let log = Log()
            try await mirror.acquireLease("sync products", holder: "other:1", duration: 60)
            let scheduler = try Self.scheduler(mirror, log)
            await scheduler.runDue()
            #expect(log.take().contains(Self.everything.replacing("products ", with: "")))
            for _ in 0..<6 {
                time.advance(by: 60)
                await scheduler.runDue()
            }
            #expect(log.take() == ["automatic products"])
            let record = try await mirror.scheduleRecords().first { $0.name == "incremental products" }
            #expect(record?.state == "completed")
        }
    }

    @Test("What fails is shown with its reason, and comes again")
    func failing() async throws {
        try await withMirror(.sqlite) { mirror in
            let log = Log()
            try await Self.scheduler(mirror, log, fails: true).runDue()
            let record = try await mirror.scheduleRecords().first { $0.name == "incremental products" }
            #expect(record?.state == "postponed")
            #expect(record?.note?.contains("already running") == true)
        }
    }

    @Test("Health is looked at where the database is gone and nobody knows what is due")
    func databaseGone() async throws {
        try await PostgresServer.withStoppable { server in
            let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            let database = try await openDatabase(DatabaseLocation(server.url), logger: silent)
            let mirror = Mirror(database: database, now: { ManualTime().now }, logger: silent)
            try await mirror.prepare(organizationID: testOrganisation)
            let log = Log()
            let scheduler = try Self.scheduler(mirror, log)
            try await server.stop()
            await scheduler.runDue()
            #expect(log.take() == ["health"])
            await database.close()
        }
    }

    @Test("A kind or an entity can be switched off or come at another pace")
    func configured() throws {
        let schedule = Schedule { kind, entity in
            switch (kind, entity) {
            case (.incremental, "vendors"): .every(300)
            case (.full, nil): .off
            case (.full, "products"): Trigger("@weekly")
            default: nil
            }
        }
        let triggers = Dictionary(uniqueKeysWithValues: schedule.tasks.map { ($0.name, $0.trigger.description) })
        #expect(triggers["incremental customers vendors"] == "5m")
        #expect(triggers["incremental products"] == "15m")
        #expect(triggers.keys.filter { $0.hasPrefix("full") } == ["full products"])
        #expect(Schedule.off.tasks.isEmpty)
    }

    @Test(
        "Sweeps are rare while webhooks are seen, and frequent again as soon as they miss a change",
        arguments: Engine.allCases)
    func evidence(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            func slow() async throws -> Set<String> {
                Set(
                    try await Scheduler.overview(.standard, mirror: rig.mirror).filter(\.isSlow)
                        .map { $0.task.entities.joined(separator: " ") })
            }
            #expect(try await slow() == [])
            func hear(_ entity: String) async throws {
                let now = rig.mirror.now()
                try await rig.mirror.add([
                    Arrival(
                        kind: .received, subject: entity, day: String(Timestamp.text(now).prefix(10)), number: 1,
                        lastAt: now)
                ])
            }
            try await hear("products")
            try await hear("customers")
            #expect(try await slow() == ["products"], "of vendors nothing was heard")
            try await hear("vendors")
            #expect(try await slow() == ["products", "customers vendors"])

            rig.control.advanceClock(by: .seconds(600))
            try rig.control.edit(.items, at: 0, ["rate": 99.5])
            try await rig.sync(["products"])
            #expect(try await slow() == ["customers vendors"], "a sweep found what no webhook had announced")
            rig.control.advanceClock(by: .seconds(60))
            try await hear("products")
            #expect(try await slow() == ["products", "customers vendors"])
            rig.control.advanceClock(by: .seconds(8 * 86_400))
            #expect(try await slow() == [])
        }
    }

    @Test("A sweep that was put off for two hours comes in fifteen minutes when webhooks fall silent")
    func silence() async throws {
        let time = ManualTime()
        try await withMirror(.sqlite, time: time) { mirror in
            let log = Log()
            let schedule = Schedule { kind, entity in
                kind == .incremental && entity == "invoices" ? .every(900) : entity == nil ? .off : nil
            }
            let scheduler = try Self.scheduler(mirror, log, schedule: schedule)
            let now = mirror.now()
            try await mirror.add([
                Arrival(kind: .received, subject: "invoices", day: "2026-03-02", number: 1, lastAt: now)
            ])
            await scheduler.runDue()
            #expect(log.take() == ["automatic invoices"])
            for _ in 0..<60 {
                time.advance(by: 60)
                await scheduler.runDue()
            }
            #expect(log.take() == [])
            try await mirror.database.write { try $0.script("delete from sync_arrivals") }
            await scheduler.runDue()
            #expect(log.take() == ["automatic invoices"])
        }
    }

    // MARK: - Cost

    private static let demo: [String: ScheduleCost.Holding] = [
        "items": .init(records: ["products": 1_312]), "contacts": .init(records: ["customers": 2_402, "vendors": 100]),
        "pricebooks": .init(records: ["pricelists": 10]), "invoices": .init(records: ["invoices": 125]),
        "bills": .init(records: ["bills": 60]), "creditnotes": .init(records: ["credit_notes": 20]),
        "salesorders": .init(records: ["sales_orders": 80]),
        "customerpayments": .init(records: ["customer_payments": 90]),
    ]

    @Test("The demo's organisation costs less than 500 calls a day with webhooks, and fits into 2,000 without any")
    func cost() {
        let cost = ScheduleCost(.standard, holdings: Self.demo)
        #expect(cost.withWebhooks < 500)
        #expect(cost.withoutWebhooks < 2_000 - 50)
        #expect(cost.warnings(plan: 2_000, reserve: 50).isEmpty)
    }

    @Test("A schedule that cannot fit is said not to, with what costs most")
    func tooMuch() {
        let cost = ScheduleCost(.standard, holdings: Self.demo)
        let tight = cost.warnings(plan: 1_000, reserve: 50)
        #expect(tight.count == 1)
        #expect(tight.first?.contains("only while webhooks arrive") == true)
        #expect(tight.first?.contains("incremental of items") == true)
        let large = ScheduleCost(.standard, holdings: ["items": .init(records: ["products": 100_000])])
        #expect(large.warnings(plan: 2_000, reserve: 50).first?.contains("do not fit") == true)
    }

    @Test(
        "A day of the demo's organisation costs no more calls than announced, and the mirror is fresh",
        .timeLimit(.minutes(10)), arguments: [true, false])
    func day(hasWebhooks: Bool) async throws {
        try await Rig.with(.sqlite) { configuration in
            configuration.counts = SimulatorConfiguration().counts
            // What is not looked at costs nothing.
            configuration.counts[.purchaseorders] = 1
        } _: { rig in
            try await rig.sync()
            try await rig.withClient { client in
                let processor = DeliveryProcessor(
                    mirror: rig.mirror, client: client, holder: "test:1",
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                let synchronise: @Sendable (SyncOptions) async throws -> SyncReport = { options in
                    try await Synchroniser(client: client, mirror: rig.mirror, options: options, holder: "test:1").run()
                }
                // The clock goes on in steps, which look like a server that was down.
                var healing = HealingOptions()
                healing.disabled = [.catchUp]
                let healer = Healer(
                    mirror: rig.mirror, client: client, options: healing, holder: "test:1",
                    isDead: { _ in false }, processor: processor, synchronise: synchronise)
                let watch = HealthWatch(
                    mirror: rig.mirror,
                    inspector: HealthInspector(mirror: rig.mirror, client: client, organizationID: nil),
                    organization: "1", logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                let scheduler = Scheduler(
                    .standard, zone: try #require(TimeZone(identifier: "UTC")), mirror: rig.mirror, holder: "test:1",
                    isDead: { _ in false },
                    work: ScheduledWork(
                        synchronise: synchronise,
                        reconcile: { options in
                            try await Reconciler(
                                client: client, mirror: rig.mirror, options: options, holder: "test:1",
                                random: { 0.5 }
                            ).run()
                        }, checkHealth: { await watch.check() }, heal: { try await healer.heal() }),
                    random: { 0.5 },
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                if hasWebhooks { try await Self.hear(rig) }
                await scheduler.runDue()
                let before = rig.control.statistics.calls
                for quarter in 0..<96 {
                    if quarter % 8 == 0 { try await change(rig, quarter, processor, hasWebhooks) }
                    rig.control.advanceClock(by: .seconds(900))
                    await scheduler.runDue()
                }
                let calls = rig.control.statistics.calls - before
                // Twelve changes a day, each of which a sweep reads again.
                let announced = ScheduleCost(
                    .standard, holdings: try await ScheduleCost.holdings(of: rig.mirror), changesPerDay: 24)
                let limit = hasWebhooks ? 500 : 1_950
                #expect(calls < limit, "\(calls) calls")
                #expect(calls <= (hasWebhooks ? announced.withWebhooks + 24 : announced.withoutWebhooks))
            }
            for quarter in stride(from: 0, to: 96, by: 8) {
                let id = rig.control.id(.invoices, at: quarter)
                #expect(
                    try await rig.value("select reference_number from invoices where zoho_invoice_id = '\(id)'")
                        == "R-\(quarter)")
            }
        }
    }

    private func change(
        _ rig: Rig, _ quarter: Int, _ processor: DeliveryProcessor, _ hasWebhooks: Bool
    ) async throws {
        let id = rig.control.id(.invoices, at: quarter)
        try rig.control.edit(.invoices, id: id, ["reference_number": .string("R-\(quarter)")])
        guard hasWebhooks else { return }
        let record = try #require(rig.control.record(.invoices, id: id))
        _ = try await rig.mirror.store([
            NewDelivery(
                entity: "invoices", content: .readable(.record, zohoID: id, record: RawJSON(record[...])),
                receivedAt: rig.mirror.now(), requestID: nil)
        ])
        try await processor.drainOnce()
        try await Self.hear(rig)
    }

    private static func hear(_ rig: Rig) async throws {
        let now = rig.mirror.now()
        let day = String(Timestamp.text(now).prefix(10))
        try await rig.mirror.add(
            Catalog.entities.filter { $0.entity.webhookName != nil }.map {
                Arrival(kind: .received, subject: $0.entity.name, day: day, number: 1, lastAt: now)
            })
    }
}
