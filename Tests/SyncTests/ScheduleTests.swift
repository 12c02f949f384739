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
                if fails { throw SyncRunsError.running(entity: "products", runID: nil) }
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

    @Test("A module that the organisation does not have is no fault, night or day", arguments: Engine.allCases)
    func absentModule(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.disabledModules = [.salesorders]
        } _: { rig in
            let schedule = Schedule { kind, _ in kind == .incremental ? nil : .every(1_800) }
            try await Serving.with(rig, schedule: schedule) { serving in
                await serving.scheduler.runDue()
                // What meets another run comes five minutes later.
                await serving.pass(seconds: 3_600)
                for kind in ["incremental", "full", "reconciliation"] {
                    let record = try await rig.mirror.scheduleRecords().first { $0.name == "\(kind) sales_orders" }
                    #expect(record?.state == "completed", "\(kind): \(record?.note ?? "never")")
                    let other = try await rig.mirror.scheduleRecords().first { $0.name == "\(kind) bills" }
                    #expect(other?.state == "completed", "\(kind): \(other?.note ?? "never")")
                }
                #expect(try await rig.mirror.runs(entity: "sales_orders", state: .failed).isEmpty)
                let checks = try await HealthTests.checks(rig)
                #expect(checks["runs_failed"]?.state == .ok)
                #expect(checks["drift"]?.state == .ok)
                #expect(try await rig.mirror.healings().filter { !$0.isDone } == [])
            }
        }
    }
}
