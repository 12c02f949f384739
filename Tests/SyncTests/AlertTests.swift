import Alerts
import AsyncHTTPClient
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

@Suite("Alerts")
struct AlertTests {
    private final class Recorder: AlertTarget {
        private let alerts = Mutex<[Alert]>([])
        private let isBroken = Mutex(false)
        let name: String

        init(_ name: String = "recorder") { self.name = name }

        func send(_ alert: Alert) throws {
            if isBroken.withLock({ $0 }) { throw CocoaError(.fileNoSuchFile) }
            alerts.withLock { $0.append(alert) }
        }

        func take() -> [Alert] {
            alerts.withLock { alerts in
                defer { alerts = [] }
                return alerts
            }
        }

        func setBroken(_ value: Bool) { isBroken.withLock { $0 = value } }
    }

    private static func record(
        _ name: String, _ state: String, told: String = "ok", at toldAt: Int64? = nil
    ) -> HealthRecord {
        HealthRecord(
            name: name, state: state, figure: 1, advice: "", parts: nil, checkedAt: 0, since: 0,
            told: toldAt.map { ["mail": .init(state: told, at: $0)] } ?? [:])
    }

    @Test("Only what has changed since it was told is told, and each check once an hour")
    func decision() {
        let hour: Int64 = 3_600_000_000
        let records = [
            Self.record("new", "critical"), Self.record("same", "critical", told: "critical", at: 0),
            Self.record("well", "ok"), Self.record("again", "ok", told: "warning", at: 1),
            Self.record("worse", "critical", told: "warning", at: 0),
        ]
        func told(_ target: String = "mail", at time: Int64) -> [String] {
            AlertDecision(records, for: target, now: time).told(records, at: time)
                .filter { $0.told[target] == .init(state: $0.state, at: time) }.map(\.name)
        }
        #expect(told(at: 10) == ["new"])
        #expect(told(at: hour) == ["new", "worse"])
        #expect(told(at: 2 * hour) == ["new", "again", "worse"])
        #expect(told("slack", at: 10) == ["new", "same", "worse"], "what others were told is nothing to it")
    }

    private static func withWatch(
        _ engine: Engine, beside others: [Recorder] = [], _ body: (Rig, HealthWatch, Recorder) async throws -> Void
    ) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            try await rig.withClient { client in
                let recorder = Recorder()
                let watch = HealthWatch(
                    mirror: rig.mirror,
                    inspector: HealthInspector(
                        mirror: rig.mirror, client: client, organizationID: nil, disk: { _ in nil },
                        clock: ManualClock()),
                    organization: "60000000001", targets: [recorder] + others,
                    ping: DeadMansPing(url: Secret("\(rig.address)/ping"), http: .shared),
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                try await body(rig, watch, recorder)
            }
        }
    }

    @Test("A change is told once, in one message with all others, and so is its end", arguments: Engine.allCases)
    func story(engine: Engine) async throws {
        try await Self.withWatch(engine) { rig, watch, recorder in
            _ = await watch.check()
            #expect(recorder.take() == [], "what is well is no news")
            try await rig.mirror.acquireLease("sync invoices", holder: "x:1", duration: 60)
            rig.control.advanceClock(by: .seconds(7 * 3_600))
            let found = await watch.check()
            #expect(found.contains("leases_stuck warning"))
            let alert = try #require(recorder.take().first)
            // The clock that was moved is seen as well.
            #expect(Set(alert.items.map(\.check)).isSuperset(of: ["leases_stuck", "cursor_age_seconds"]))
            #expect(alert.items.allSatisfy { $0.before == "ok" && !$0.advice.isEmpty })
            let ages = try #require(alert.items.first { $0.check == "cursor_age_seconds" })
            #expect(ages.parts?.count == 5)
            #expect(ages.more == 4)
            rig.control.advanceClock(by: .seconds(900))
            _ = await watch.check()
            #expect(recorder.take().flatMap(\.items).filter { $0.check == "leases_stuck" } == [])
            try await rig.mirror.releaseLease("sync invoices", holder: "x:1")
            _ = await watch.check()
            #expect(recorder.take().flatMap(\.items).filter { $0.check == "leases_stuck" } == [], "not within the hour")
            rig.control.advanceClock(by: .seconds(3_600))
            _ = await watch.check()
            let recovery = recorder.take().flatMap(\.items).first { $0.check == "leases_stuck" }
            #expect(recovery?.state == "ok")
            #expect(recovery?.before == "warning")
        }
    }

    @Test("What nobody could be told is told the next time")
    func undelivered() async throws {
        try await Self.withWatch(.sqlite) { rig, watch, recorder in
            recorder.setBroken(true)
            try await rig.mirror.acquireLease("sync invoices", holder: "x:1", duration: 60)
            rig.control.advanceClock(by: .seconds(1_900))
            _ = await watch.check()
            recorder.setBroken(false)
            _ = await watch.check()
            #expect(recorder.take().flatMap(\.items).map(\.check).contains("leases_stuck"))
        }
    }

    @Test("A target that failed is told the next time, and the others are not told twice", arguments: Engine.allCases)
    func oneOfTwo(engine: Engine) async throws {
        let other = Recorder("other")
        try await Self.withWatch(engine, beside: [other]) { rig, watch, recorder in
            func told(_ recorder: Recorder) -> [String?] {
                recorder.take().flatMap(\.items).filter { $0.check == "leases_stuck" }.map {
                    "\($0.before) \($0.state)"
                }
            }
            recorder.setBroken(true)
            try await rig.mirror.acquireLease("sync invoices", holder: "x:1", duration: 60)
            rig.control.advanceClock(by: .seconds(1_900))
            _ = await watch.check()
            #expect(told(other) == ["ok warning"])
            rig.control.advanceClock(by: .seconds(900))
            recorder.setBroken(false)
            _ = await watch.check()
            #expect(told(recorder) == ["ok warning"])
            #expect(told(other) == [])
            try await rig.mirror.releaseLease("sync invoices", holder: "x:1")
            rig.control.advanceClock(by: .seconds(2_701))
            _ = await watch.check()
            #expect(told(other) == ["warning ok"])
            #expect(told(recorder) == [], "not within the hour")
            rig.control.advanceClock(by: .seconds(900))
            _ = await watch.check()
            #expect(told(recorder) == ["warning ok"])
        }
    }

    @Test("The outside monitor hears of each look at which nothing was critical, whatever strangers do")
    func ping() async throws {
        try await Self.withWatch(.sqlite) { rig, watch, _ in
            func pings(_ body: () async throws -> Void) async throws -> Int {
                let before = rig.control.statistics.callsByPath["/ping"] ?? 0
                try await body()
                _ = await watch.check()
                return (rig.control.statistics.callsByPath["/ping"] ?? 0) - before
            }
            #expect(try await pings {} == 1)
            let strangers = try await pings {
                let day = String(Timestamp.text(rig.mirror.now()).prefix(10))
                try await rig.mirror.add(
                    [Arrival.Kind.refused, .unknownPath].map {
                        Arrival(kind: $0, subject: "/x", day: day, number: 5_000, lastAt: rig.mirror.now())
                    })
            }
            #expect(strangers == 1)
            let critical = try await pings {
                for number in 0..<6 {
                    try await rig.mirror.acquireLease("sync \(number)", holder: "x:1", duration: 60)
                }
                rig.control.advanceClock(by: .seconds(1_900))
            }
            #expect(critical == 0)
            let well = try await pings {
                for number in 0..<6 { try await rig.mirror.releaseLease("sync \(number)", holder: "x:1") }
                rig.control.advanceClock(by: .seconds(-1_900))
            }
            #expect(well == 1)
        }
    }

    /// Keeps a check as an earlier look found it, and as the recorder was told of it.
    private static func keep(_ name: String, _ state: String, _ rig: Rig) async throws {
        let now = rig.mirror.now()
        try await rig.mirror.save([
            HealthRecord(
                name: name, state: state, figure: 1, advice: "Look.", parts: nil, checkedAt: now, since: now,
                told: ["recorder": .init(state: state, at: now - 7_200_000_000)])
        ])
    }

    @Test("The outside monitor hears nothing while what only the daily look finds is critical")
    func pingBetweenDeepLooks() async throws {
        try await Self.withWatch(.sqlite) { rig, watch, _ in
            func pings() async -> Int {
                let before = rig.control.statistics.callsByPath["/ping"] ?? 0
                _ = await watch.check()
                return (rig.control.statistics.callsByPath["/ping"] ?? 0) - before
            }
            #expect(await pings() == 1)
            try await Self.keep("scopes", "critical", rig)
            #expect(await pings() == 0)
            #expect(await pings() == 0)
            try await Self.keep("scopes", "ok", rig)
            #expect(await pings() == 1)
        }
    }

    @Test("A check that is no longer made is told to be over, and shown no more", arguments: Engine.allCases)
    func lapsed(engine: Engine) async throws {
        try await Self.withWatch(engine) { rig, watch, recorder in
            func shown() async throws -> [String] {
                let inspector = HealthInspector(
                    mirror: rig.mirror, client: nil, organizationID: nil, disk: { _ in nil })
                return await inspector.inspectWithStored(.mirror).map(\.name)
            }
            _ = await watch.check()
            _ = recorder.take()
            try await Self.keep("schedule_percent", "critical", rig)
            #expect(try await !shown().contains("schedule_percent"))
            #expect(try await shown().contains("scopes"), "it stands until the next deep look")
            let pings = rig.control.statistics.callsByPath["/ping"] ?? 0
            _ = await watch.check()
            let item = recorder.take().flatMap(\.items).first { $0.check == "schedule_percent" }
            #expect(item?.before == "critical")
            #expect(item?.state == "ok")
            #expect(rig.control.statistics.callsByPath["/ping"] ?? 0 == pings + 1)
            #expect(watch.remembered.first { $0.name == "schedule_percent" }?.state == "ok")

            try await Self.keep("schedule_percent", "critical", rig)
            try await rig.mirror.database.write { try $0.script("alter table sync_inbox rename to elsewhere") }
            #expect(try await shown().contains("schedule_percent"), "whether it is made is not known now")
        }
    }

    @Test("Nobody is alerted while the first load goes on or is due, and all are once it has failed")
    func firstLoad() async throws {
        try await Rig.with(.sqlite) { rig in
            @Sendable func alerts(_ schedule: Schedule) async throws -> [String] {
                let recorder = Recorder()
                let watch = HealthWatch(
                    mirror: rig.mirror,
                    inspector: HealthInspector(
                        mirror: rig.mirror, client: nil, organizationID: nil, schedule: schedule, disk: { _ in nil },
                        clock: ManualClock()),
                    organization: "1", targets: [recorder],
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                let found = await watch.check()
                #expect(found.contains("cursor_age_seconds warning"), "it is shown all the same")
                return recorder.take().flatMap(\.items).map(\.check).filter { $0 == "cursor_age_seconds" }
            }
            #expect(try await alerts(.standard) == [], "it is due")
            let during = Mutex<[String]>([])
            try await rig.sync(
                onEvent: { event in
                    guard event.phase == .list, event.entity == "products" else { return }
                    let found = try? await alerts(.off)
                    during.withLock { $0 += found ?? ["unknown"] }
                })
            #expect(during.withLock { $0 } == [])
            try await rig.mirror.database.write {
                try $0.execute("update sync_cursors set listed_at = null where entity = 'bills'")
                try $0.execute("update sync_runs set state = 'failed' where entity = 'bills'")
            }
            #expect(try await alerts(.standard) == ["cursor_age_seconds"])
        }
        try await Rig.with(.sqlite) { rig in
            let watch = HealthWatch(
                mirror: rig.mirror,
                inspector: HealthInspector(
                    mirror: rig.mirror, client: nil, organizationID: nil, disk: { _ in nil }, clock: ManualClock()),
                organization: "1", targets: [],
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            _ = await watch.check()
            let record = try await rig.mirror.healthRecords().first { $0.name == "cursor_age_seconds" }
            #expect(record?.told["log"]?.state == "warning", "without a schedule nothing is due")
        }
    }

    @Test("A database that is gone is told, and told to be back")
    func database() async throws {
        try await PostgresServer.withStoppable { server in
            let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            let database = try await openDatabase(DatabaseLocation(server.url), logger: silent)
            let time = ManualTime()
            let mirror = Mirror(database: database, now: { time.now }, logger: silent)
            try await mirror.prepare(organizationID: testOrganisation)
            let recorder = Recorder()
            let watch = HealthWatch(
                mirror: mirror,
                inspector: HealthInspector(
                    mirror: mirror, client: nil, organizationID: nil, disk: { _ in nil }, clock: ManualClock()),
                organization: "1", targets: [recorder], logger: silent)
            _ = await watch.check()
            _ = recorder.take()
            try await server.stop()
            _ = await watch.check()
            _ = await watch.check()
            #expect(recorder.take().map { $0.items.map(\.check) } == [["database"]])
            try await server.start()
            time.advance(by: 3_601)
            _ = await watch.check()
            let items = recorder.take().flatMap(\.items)
            #expect(items.first { $0.check == "database" }?.state == "ok")
            await database.close()
        }
    }
}
