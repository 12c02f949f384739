import Alerts
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
        let name = "recorder"

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
            name: name, state: state, figure: 1, advice: "", parts: nil, checkedAt: 0, since: 0, toldState: told,
            toldAt: toldAt)
    }

    @Test("Only what has changed since it was told is told, and each check once an hour")
    func decision() {
        let hour: Int64 = 3_600_000_000
        let records = [
            Self.record("new", "critical"), Self.record("same", "critical", told: "critical", at: 0),
            Self.record("well", "ok"), Self.record("again", "ok", told: "warning", at: 1),
            Self.record("worse", "critical", told: "warning", at: 0),
        ]
        func told(at time: Int64) -> [HealthRecord] { AlertDecision(records, now: time).told(records, at: time) }
        #expect(told(at: 10).filter { $0.toldAt == 10 }.map(\.name) == ["new"])
        #expect(told(at: hour).filter { $0.toldAt == hour }.map(\.name) == ["new", "worse"])
        #expect(told(at: 2 * hour).filter { $0.toldAt == 2 * hour }.map(\.name) == ["new", "again", "worse"])
        #expect(told(at: 2 * hour).allSatisfy { $0.toldState == $0.state })
    }

    private static func withWatch(
        _ engine: Engine, _ body: (Rig, HealthWatch, Recorder) async throws -> Void
    ) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            try await rig.withClient { client in
                let recorder = Recorder()
                let watch = HealthWatch(
                    mirror: rig.mirror,
                    inspector: HealthInspector(
                        mirror: rig.mirror, client: client, organizationID: nil, disk: { _ in nil }),
                    organization: "60000000001", targets: [recorder],
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
                inspector: HealthInspector(mirror: mirror, client: nil, organizationID: nil, disk: { _ in nil }),
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
