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

/// Each test breaks the real thing, and sees healing mend it.
@Suite("Healing")
struct HealTests {
    static func healer(
        _ rig: Rig, _ client: ZohoBooksClient, _ change: (inout HealingOptions) -> Void = { _ in }
    ) -> Healer {
        var options = HealingOptions()
        options.isAskedFor = true
        change(&options)
        let isDead: @Sendable (String) -> Bool = { $0.hasPrefix("dead") }
        return Healer(
            mirror: rig.mirror, client: client, options: options, holder: "test:1", isDead: isDead,
            processor: DeliveryProcessor(
                mirror: rig.mirror, client: client, holder: "test:1", random: { 0 },
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        ) { options in
            try await Synchroniser(client: client, mirror: rig.mirror, options: options, holder: "test:1").run()
        }
    }

    @discardableResult
    static func heal(
        _ rig: Rig, _ change: (inout HealingOptions) -> Void = { _ in }
    ) async throws -> [String: HealingRecord] {
        try await rig.withClient { client in
            let records = try await healer(rig, client, change).heal()
            return Dictionary(records.map { ($0.action, $0) }, uniquingKeysWith: { $1 })
        }
    }

    @Test("Dead letters are seen, read again from the source by healing, and gone", arguments: Engine.allCases)
    func deadLetters(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func refuse(_ indices: Range<Int>) async throws {
                _ = try await rig.mirror.store(
                    indices.map { index in
                        // A body that names its record and is damaged otherwise.
                        let id = rig.control.id(.items, at: index)
                        let body = "{\"item\":{\"item_id\":\"\(id)\",\"name\":5"
                        return NewDelivery(
                            entity: "products", content: .unreadable(body: Array(body.utf8), reason: "it is cut off"),
                            receivedAt: rig.mirror.now(), requestID: nil)
                    })
            }
            try await refuse(0..<6)
            #expect(try await HealthTests.checks(rig)["dead_letters"]?.state == .warning)
            try await refuse(6..<11)
            #expect(try await HealthTests.checks(rig)["dead_letters"]?.state == .critical)
            try await rig.mirror.database.write { transaction in
                for index in 0..<11 {
                    try transaction.execute(
                        """
                        update sync_dead_letters set zoho_id = $1, identity = $1, shape = 'detail'
                        where id = (select min(id) from sync_dead_letters where zoho_id is null)
                        """, [.text(rig.control.id(.items, at: index))])
                }
            }
            #expect(try await Self.heal(rig)["reread_dead_letters"]?.changed == 11)
            #expect(try await HealthTests.checks(rig)["dead_letters"]?.state == .ok)
            #expect(try await rig.value("select count(*) from products") == "11")
            #expect(try await Self.heal(rig)["reread_dead_letters"] == nil)
        }
    }

    @Test("What failed for a passing reason is applied again when it has passed", arguments: Engine.allCases)
    func passingReasons(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            // A check that the person adds and then takes back.
            let id = rig.control.id(.items, at: 0)
            try await rig.mirror.database.write { transaction in
                switch transaction.dialect {
                case .postgres:
                    try transaction.script(
                        """
                        create function refuse() returns trigger language plpgsql as $$
                        begin raise exception 'not now' using errcode = '23514'; end $$;
                        create trigger refuse before insert on products for each row
                            when (new.zoho_item_id = '\(id)') execute function refuse();
                        """)
                case .sqlite:
                    try transaction.script(
                        """
                        create trigger refuse before insert on products when new.zoho_item_id = '\(id)'
                            begin select raise(abort, 'not now'); end
                        """)
                }
            }
            try await rig.sync(["products"]) { $0.includesDetails = false }
            let letter = try #require(try await rig.mirror.deadLetters().first)
            #expect(letter.zohoID == id)
            let again = try await Self.heal(rig)
            #expect(again.values.contains { $0.changed > 0 && $0.action.hasSuffix("dead_letters") } == false)
            #expect(try await rig.mirror.deadLetterCount() == 1)
            try await rig.mirror.database.write { transaction in
                try transaction.script("drop trigger refuse\(transaction.dialect == .postgres ? " on products" : "")")
            }
            let healed = try await Self.heal(rig)
            #expect(healed.values.contains { $0.changed == 1 && $0.action.hasSuffix("dead_letters") })
            #expect(try await rig.mirror.deadLetterCount() == 0)
        }
    }

    @Test("A reading that Zoho failed to answer is asked for again", arguments: Engine.allCases)
    func failedReadings(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let id = rig.control.id(.invoices, at: 0)
            _ = try await rig.mirror.mark([id], of: try #require(Catalog.entity(named: "invoices")))
            let entries = try await rig.mirror.claim([.mark], limit: 1, holder: "w", lease: 60)
            try await rig.mirror.giveUp(entries, reason: "Zoho answers with 500.")
            #expect(try await rig.mirror.deadLetterCount() == 1)
            #expect(try await Self.heal(rig)["retry_dead_letters"]?.changed == 1)
            #expect(try await rig.mirror.deadLetterCount() == 0)
            #expect(try await rig.value("select count(*) from invoices") == "1")
        }
    }

    @Test("A record that Zoho never gives is asked for less and less often", arguments: Engine.allCases)
    func hopelessReading(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.faults = [.internalError: 1]
        } _: { rig in
            let id = rig.control.id(.invoices, at: 0)
            func giveUp() async throws {
                let entries = try await rig.mirror.claim([.mark], limit: 1, holder: "w", lease: 60)
                try await rig.mirror.giveUp(entries, reason: "Zoho answers with 500.")
            }
            _ = try await rig.mirror.mark([id], of: try #require(Catalog.entity(named: "invoices")))
            try await giveUp()
            for attempt in 1...4 {
                let letter = try #require(try await rig.mirror.deadLetters().first)
                #expect(letter.attempts == attempt)
                _ = try await rig.mirror.retry(letter)
                try await giveUp()
            }
        }
    }

    @Test("Healing by itself leaves a letter alone until its pause is over; a person does not wait")
    func pauses() async throws {
        try await Rig.with(.sqlite) { rig in
            let id = rig.control.id(.items, at: 0)
            try await rig.mirror.database.write { transaction in
                try transaction.script(
                    """
                    create trigger refuse before insert on products when new.zoho_item_id = '\(id)'
                        begin select raise(abort, 'never'); end
                    """)
            }
            try await rig.sync(["products"]) { $0.includesDetails = false }
            let due = { try await Self.heal(rig) { $0.isAskedFor = false }["reread_dead_letters"] != nil }
            #expect(try await due() == false)
            rig.control.advanceClock(by: .seconds(3_601))
            #expect(try await due())
            rig.control.advanceClock(by: .seconds(3_601))
            #expect(try await due() == false, "the second pause is of two hours")
            rig.control.advanceClock(by: .seconds(3_601))
            #expect(try await due())
        }
    }

    @Test(
        "A worker that hangs in a living process stays seen; that of a process that ended goes",
        arguments: Engine.allCases)
    func workers(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func lease(_ worker: String, of process: String) async throws {
                try await rig.mirror.acquireLease("worker \(worker)", holder: process, duration: 60)
            }
            func silence() async throws -> HealthCheck.State? {
                try await HealthTests.checks(rig, expectsWebhooks: true)["worker_silence_seconds"]?.state
            }
            #expect(try await silence() == .warning)
            try await lease("test:1#1", of: "test:1")
            try await lease("far:1#1", of: "far:1")
            #expect(try await silence() == .ok)
            rig.control.advanceClock(by: .seconds(7_200))
            // Another worker of the same process lives.
            try await lease("far:1#2", of: "far:1")
            #expect(try await Self.heal(rig)["release_leases"] == nil)
            #expect(try await silence() == .critical)
            // Of a process on another machine nothing is known but that it prolongs nothing.
            rig.control.advanceClock(by: .seconds(3_600))
            #expect(try await Self.heal(rig)["release_leases"] == nil)
            rig.control.advanceClock(by: .seconds(61))
            #expect(try await Self.heal(rig)["release_leases"]?.changed == 2)
            #expect(
                try await rig.mirror.leases().map(\.name) == ["worker test:1#1"], "healing itself proves that it lives")
            #expect(try await silence() == .critical)

            try await rig.mirror.releaseLease("worker test:1#1", holder: "test:1")
            try await lease("dead:1#1", of: "dead:1")
            rig.control.advanceClock(by: .seconds(1_000))
            #expect(try await silence() == .critical)
            #expect(try await Self.heal(rig)["release_leases"]?.changed == 1)
            #expect(try await silence() == .warning, "no worker runs")
        }
    }

    @Test("A stuck worker is stopped and begins anew", arguments: Engine.allCases)
    func stuckWorker(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.slowAnswer = .seconds(600)
        } _: { rig in
            let id = rig.control.id(.invoices, at: 0)
            rig.control.script(.slowAnswer, next: 1, prefix: "/invoices")
            _ = try await rig.mirror.mark([id], of: try #require(Catalog.entity(named: "invoices")))
            try await rig.withClient { client in
                let processor = DeliveryProcessor(
                    mirror: rig.mirror, client: client, holder: "test:1", patience: .seconds(3),
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                try await withThrowingTaskGroup { group in
                    group.addTask { try await processor.run() }
                    while try await rig.value("select count(*) from invoices") != "1" {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
            #expect(try await rig.mirror.healings().map(\.action) == ["restart_worker"])
        }
    }

    @Test("Stuck leases and endless runs are seen, and ended by healing", arguments: Engine.allCases)
    func leases(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.mirror.acquireLease("sync invoices", holder: "dead:1", duration: 60)
            _ = try await rig.mirror.beginRun(of: "invoices", kind: .full, options: "{}", holder: "dead:1")
            #expect(try await HealthTests.checks(rig)["leases_stuck"]?.state == .ok)
            rig.control.advanceClock(by: .seconds(1_862))
            let checks = try await HealthTests.checks(rig)
            #expect(checks["leases_stuck"]?.state == .warning)
            #expect(checks["runs_endless"]?.state == .warning)
            #expect(checks["runs_endless"]?.parts == ["invoices": 1])
            let planned = try await rig.withClient { try await Self.healer(rig, $0).plan() }
            #expect(planned.map(\.action).contains(.releaseLeases))
            #expect(planned.map(\.action).contains(.endRuns))
            #expect(try await rig.mirror.healings().isEmpty, "a plan does nothing")
            let done = try await Self.heal(rig)
            #expect(done["release_leases"]?.changed == 1)
            #expect(done["end_runs"]?.changed == 1)
            #expect(try await rig.mirror.runs(entity: "invoices").first?.state == .interrupted)
            let after = try await HealthTests.checks(rig)
            #expect(after["leases_stuck"]?.state == .ok)
            #expect(after["runs_endless"]?.state == .ok)
            #expect(try await Self.heal(rig).isEmpty, "twice changes nothing")
        }
    }

    @Test("An action that is switched off is not done")
    func switchedOff() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.mirror.acquireLease("sync invoices", holder: "dead:1", duration: 60)
            #expect(try await Self.heal(rig) { $0.disabled = [.releaseLeases] }["release_leases"] == nil)
            #expect(try await rig.mirror.leases().count == 1)
        }
    }

    private static func compare(_ rig: Rig) async throws -> ReconciliationReport {
        try await rig.withClient { client in
            try await Reconciler(
                client: client, mirror: rig.mirror, options: ReconciliationOptions(), holder: "test:1", random: { 0.5 }
            ).run()
        }
    }

    @Test("Drift that a comparison finds is seen, and repaired by healing", arguments: Engine.allCases)
    func drift(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            try rig.control.edit(.items, at: 2, ["rate": 99.5])
            try rig.control.delete(.items, id: rig.control.id(.items, at: 3))
            _ = try await Self.compare(rig)
            let check = try await HealthTests.checks(rig)["drift"]
            #expect(check?.state == .warning)
            #expect(check?.parts == ["products": 2])
            #expect(try await Self.heal(rig)["repair_drift"]?.changed == 2)
            #expect(try await HealthTests.checks(rig)["drift"]?.state == .ok)
            #expect(try await Self.heal(rig).isEmpty)
        }
    }

    @Test("A source that lost half its records does not empty the mirror: healing asks", arguments: Engine.allCases)
    func massDeletion(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            for id in rig.control.ids(.items).prefix(225) { try rig.control.delete(.items, id: id) }
            _ = try await Self.compare(rig)
            #expect(try await HealthTests.checks(rig)["drift"]?.state == .warning)
            let asked = try await Self.heal(rig)["repair_drift"]
            #expect(asked?.outcome == HealingRecord.question)
            #expect(asked?.reason.contains("--allow-mass-deletion") == true)
            #expect(try await rig.value("select count(*) from products where deleted_at is null") == "450")
        }
    }

    @Test("What changed while no server ran is caught up once", arguments: Engine.allCases)
    func downtime(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let lastSeen = rig.mirror.now()
            rig.control.advanceClock(by: .seconds(600))
            try rig.control.edit(.items, at: 0, ["rate": 99.5])
            rig.control.advanceClock(by: .seconds(600))
            let startedAt = rig.mirror.now()
            try await rig.mirror.save(
                ScheduleRecord(name: "serve", dueAt: lastSeen, startedAt: startedAt, endedAt: startedAt))
            let caughtUp = try await Self.heal(rig)["catch_up"]
            #expect(caughtUp?.changed == 1)
            #expect(
                try await rig.value(
                    "select unit_price from products where zoho_item_id = '\(rig.control.id(.items, at: 0))'") == "99.5"
            )
            #expect(try await Self.heal(rig)["catch_up"] == nil)
        }
    }

    @Test("What is older than its retention goes; the last run of each entity stays", arguments: Engine.allCases)
    func retention(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["invoices"])
            try await rig.sync(["invoices"])
            try await rig.sync(["invoices"])
            rig.control.advanceClock(by: .seconds(91 * 86_400))
            #expect(try await Self.heal(rig)["prune"]?.changed == 1)
            #expect(try await rig.mirror.runs(entity: "invoices").count == 2)
            #expect(try await rig.value("select count(*) from sync_changes") != "0")
            rig.control.advanceClock(by: .seconds(366 * 86_400))
            try await Self.heal(rig)
            #expect(try await rig.value("select count(*) from sync_changes") == "0")
            #expect(try await rig.value("select count(*) from invoices") == "30")
        }
    }
}
