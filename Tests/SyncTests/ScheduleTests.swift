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

    private enum Failure {
        case running
        case other
    }

    private struct Broken: Error, CustomStringConvertible {
        let description = "It is broken."
    }

    private static func work(_ log: Log, failure: Failure? = nil) -> ScheduledWork {
        ScheduledWork(
            synchronise: { options in
                log.add("\(options.mode.rawValue) \(options.entities.sorted().joined(separator: " "))")
                switch failure {
                case nil: break
                case .running: throw SyncRunsError.running(entity: "products", runID: nil)
                case .other: throw Broken()
                }
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
        _ mirror: Mirror, _ log: Log, process: String = "test:1", schedule: Schedule = .standard,
        failure: Failure? = nil, random: Double = 0
    ) throws -> Scheduler {
        Scheduler(
            schedule, zone: try #require(TimeZone(identifier: "UTC")), mirror: mirror, process: process,
            isDead: { _ in false }, work: work(log, failure: failure), random: { random },
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
            let scheduler = try Self.scheduler(mirror, log, process: "test:2")
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
            let schedulers = try ["a:1", "b:2"].map { try Self.scheduler(mirror, log, process: $0) }
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
            #expect(record?.state == .completed)
        }
    }

    @Test("What fails is shown with its reason, and comes again after its interval")
    func failing() async throws {
        let time = ManualTime()
        try await withMirror(.sqlite, time: time) { mirror in
            let log = Log()
            let scheduler = try Self.scheduler(mirror, log, schedule: Self.invoicesOnly("15m"), failure: .other)
            await scheduler.runDue()
            #expect(log.take() == ["automatic invoices"])
            let record = try #require(try await mirror.scheduleRecords().first)
            #expect(record.state == .failed)
            #expect(record.note == "It is broken.")
            #expect(record.dueAt == mirror.now() + 900_000_000)
            time.advance(by: 899)
            await scheduler.runDue()
            #expect(log.take() == [])
            time.advance(by: 1)
            await scheduler.runDue()
            #expect(log.take() == ["automatic invoices"])
        }
    }

    @Test("What meets a sync of this process is put off, and comes again after five minutes")
    func meeting() async throws {
        let time = ManualTime()
        try await withMirror(.sqlite, time: time) { mirror in
            let log = Log()
            let scheduler = try Self.scheduler(mirror, log, failure: .running)
            await scheduler.runDue()
            let record = try await mirror.scheduleRecords().first { $0.name == "incremental products" }
            #expect(record?.state == .postponed)
            #expect(record?.note?.contains("already running") == true)
            _ = log.take()
            time.advance(by: 300)
            await scheduler.runDue()
            #expect(log.take().contains(Self.everything))
        }
    }

    @Test(
        "Beginnings are spread by a tenth of the interval, and by five minutes at most",
        arguments: [("15m", 945.0), ("1d", 86_550.0), ("*/2 * * * *", 126.0)])
    func jitter(trigger: String, seconds: Double) async throws {
        let time = ManualTime()
        try await withMirror(.sqlite, time: time) { mirror in
            let scheduler = try Self.scheduler(mirror, Log(), schedule: Self.invoicesOnly(trigger), random: 0.5)
            await scheduler.runDue()
            if trigger.contains("*") {
                // An expression waits for its time first.
                time.advance(by: 120)
                await scheduler.runDue()
            }
            let record = try #require(try await mirror.scheduleRecords().first)
            #expect(record.state == .completed)
            #expect(Double(record.dueAt - mirror.now()) / 1_000_000 == seconds)
        }
    }

    private static func invoicesOnly(_ trigger: String) -> Schedule {
        Schedule { kind, entity in
            kind == .incremental && entity == "invoices" ? Trigger(trigger) : entity == nil ? .off : nil
        }
    }

    @Test(
        "What is due follows the schedule as soon as it says something else, and what was due by then stays so",
        arguments: Engine.allCases)
    func changedSchedule(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror async throws -> Void in
            let log = Log()
            func run(_ trigger: String) async throws -> [String] {
                await (try Self.scheduler(mirror, log, schedule: Self.invoicesOnly(trigger))).runDue()
                return log.take()
            }
            func due() async throws -> Int64 {
                (try #require(try await mirror.scheduleRecords().first).dueAt - mirror.now()) / 1_000_000
            }
            #expect(try await run("0 2 1 1 *") == [])
            #expect(try await due() > 200 * 86_400)
            // From noon on.
            #expect(try await run("0 14 * * *") == [])
            #expect(try await due() == 7_200)
            time.advance(by: 60)
            #expect(try await run("0 14 * * *") == [], "it is reckoned once")
            #expect(try await run("1h") == ["automatic invoices"])
            time.advance(by: 600)
            #expect(try await run("6h") == [])
            #expect(try await due() == 6 * 3_600 - 600)
            #expect(try await run("15m") == [])
            #expect(try await due() == 300)
            time.advance(by: 301)
            #expect(try await run("0 2 1 1 *") == ["automatic invoices"], "it was due already")
            #expect(try await due() > 200 * 86_400)
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
            func hear(_ subject: String, _ number: Int = 1) async throws {
                let now = rig.mirror.now()
                try await rig.mirror.add([
                    Arrival(
                        kind: .received, subject: subject, day: String(Timestamp.text(now).prefix(10)), number: number,
                        lastAt: now)
                ])
            }
            func miss(_ module: SimulatorModule, _ id: String, _ entities: [String]) async throws {
                rig.control.advanceClock(by: .seconds(60))
                try rig.control.edit(module, id: id, ["notes": .string("\(rig.mirror.now())")])
                try await rig.sync(entities)
                rig.control.advanceClock(by: .seconds(60))
            }
            let item = rig.control.id(.items, at: 0)
            try await hear("stock")
            #expect(try await slow() == [], "a rule for stock says nothing of the rule for items")
            try await hear("products")
            #expect(try await slow() == ["products"])
            try await hear("customers")
            #expect(try await slow() == ["products", "customers vendors"], "of vendors there may be nothing to hear")

            rig.control.advanceClock(by: .seconds(40 * 86_400))
            #expect(try await slow() == ["products", "customers vendors"], "where nothing changes nothing comes")
            try await miss(.items, item, ["products"])
            #expect(try await slow() == ["customers vendors"], "a sweep found what no webhook had announced")
            try await hear("products")
            #expect(try await slow() == ["customers vendors"], "half of them still get lost")
            try await hear("products", 9)
            #expect(try await slow() == ["products", "customers vendors"], "one in ten may")
            try await miss(.items, item, ["products"])
            rig.control.advanceClock(by: .seconds(2 * 86_400))
            #expect(try await slow() == ["customers vendors"], "nothing was heard since")
            try await hear("products")
            #expect(try await slow() == ["products", "customers vendors"])

            let vendor = try #require(try await rig.value("select zoho_contact_id from vendors order by id limit 1"))
            try await miss(.contacts, vendor, ["customers", "vendors"])
            #expect(try await slow() == ["products"], "vendors change unannounced")
        }
    }

    @Test("A sweep that was put off for two hours comes in fifteen minutes when webhooks fall silent")
    func silence() async throws {
        let time = ManualTime()
        try await withMirror(.sqlite, time: time) { mirror in
            let log = Log()
            let scheduler = try Self.scheduler(mirror, log, schedule: Self.invoicesOnly("15m"))
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
                try await serving.pass(seconds: 3_600)
                for entity in ["sales_orders", "bills"] {
                    // What meets another run of its entity is put off; what fails is not.
                    let records = try await rig.mirror.scheduleRecords().filter { $0.name.hasSuffix(" \(entity)") }
                    #expect(records.count == 3)
                    #expect(records.allSatisfy { $0.state == .completed || $0.state == .postponed })
                    let kinds = Set(try await rig.mirror.runs(entity: entity, state: .completed).map(\.kind))
                    #expect(kinds.isSuperset(of: [.full, .reconciliation]), "\(entity)")
                }
                #expect(try await rig.mirror.runs(entity: "sales_orders", state: .failed).isEmpty)
                let checks = try await HealthTests.checks(rig)
                #expect(checks["runs_failed"]?.state == .ok)
                #expect(checks["drift"]?.state == .ok)
                #expect(try await rig.mirror.healings().filter(\.state.isOpen) == [])
            }
        }
    }
}
