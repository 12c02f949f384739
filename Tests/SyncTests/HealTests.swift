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
            mirror: rig.mirror, client: client, options: options, process: "test:1", isDead: isDead,
            processor: DeliveryProcessor(
                mirror: rig.mirror, client: client, process: "test:1", random: { 0 },
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        ) { options in
            try await Synchroniser(client: client, mirror: rig.mirror, options: options, process: "test:1").run()
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
            // One that names nobody stays.
            _ = try await rig.mirror.store([
                NewDelivery(
                    entity: "products", content: .unreadable(body: Array("{".utf8), reason: "it is cut off"),
                    receivedAt: rig.mirror.now(), requestID: nil)
            ])
            #expect(try await Self.heal(rig)["reread_dead_letters"]?.changed == 11)
            #expect(try await HealthTests.checks(rig)["dead_letters"]?.state == .ok)
            #expect(try await rig.value("select count(*) from products") == "11")
            #expect(try await Self.heal(rig)["reread_dead_letters"] == nil)
            #expect(try await rig.mirror.deadLetterCount() == 1)
        }
    }

    @Test("Letters that healing can do nothing about hide no later one", arguments: Engine.allCases)
    func hopelessLetters(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func refuse(_ bodies: [String]) async throws {
                _ = try await rig.mirror.store(
                    bodies.map { body in
                        NewDelivery(
                            entity: "products", content: .unreadable(body: Array(body.utf8), reason: "it is cut off"),
                            receivedAt: rig.mirror.now(), requestID: nil)
                    })
            }
            try await refuse((0..<1_100).map { "{\($0)" })
            rig.control.advanceClock(by: .seconds(60))
            try await refuse(["{\"item\":{\"item_id\":\"\(rig.control.id(.items, at: 7))\",\"name\":5"])
            #expect(try await Self.heal(rig) { $0.isAskedFor = false }["reread_dead_letters"] == nil, "not at once")
            rig.control.advanceClock(by: .seconds(3_601))
            let healed = try await Self.heal(rig) { $0.isAskedFor = false }["reread_dead_letters"]
            #expect(healed?.changed == 1)
            #expect(try await rig.mirror.deadLetterCount() == 1_100)
        }
    }

    @Test("A delivery that cannot be read matters until its record is read later", arguments: Engine.allCases)
    func unreadable(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let id = rig.control.id(.items, at: 0)
            func refuse(_ body: String) async throws {
                _ = try await rig.mirror.store([
                    NewDelivery(
                        entity: "products", content: .unreadable(body: Array(body.utf8), reason: "it is cut off"),
                        receivedAt: rig.mirror.now(), requestID: nil)
                ])
            }
            try await rig.sync(["products"])
            rig.control.advanceClock(by: .seconds(60))
            try await refuse("{\"item\":{\"item_id\":\"\(id)\",\"name\":\"a")
            try await refuse("{\"item\":{\"item_id\":\"\(id)\",\"name\":\"b")
            #expect(try await rig.mirror.deadLetters().map(\.zohoID) == [id, id], "each body is kept")
            // A delivery that came later may be an older one.
            rig.control.advanceClock(by: .seconds(60))
            let record = try #require(rig.control.record(.items, id: id))
            _ = try await rig.mirror.store([
                NewDelivery(
                    entity: "products", content: .readable(.record, zohoID: id, record: RawJSON(record[...])),
                    receivedAt: rig.mirror.now(), requestID: nil)
            ])
            try await rig.withClient { client in
                try await DeliveryProcessor(
                    mirror: rig.mirror, client: client, process: "test:1", logger: Logger(label: "test")
                ).drainOnce()
            }
            #expect(try await rig.mirror.deadLetterCount() == 2)
            try await rig.sync(["products"])
            #expect(try await rig.mirror.deadLetterCount() == 0)
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

    @Test("What a policy of the database has refused is applied as it came when the policy is mended, at no call")
    func mendedPolicy() async throws {
        try await Rig.with(.postgres) { rig in
            let id = rig.control.id(.items, at: 0)
            try await rig.mirror.database.write { transaction in
                // As row-level security says it; the tests' role is above all policies.
                try transaction.script(
                    """
                    create function refuse() returns trigger language plpgsql as $$
                    begin raise exception 'new row violates row-level security policy for table "products"'
                        using errcode = '42501'; end $$;
                    create trigger refuse before insert on products for each row
                        when (new.zoho_item_id = '\(id)') execute function refuse();
                    """)
            }
            try await rig.sync(["products"]) { $0.includesDetails = false }
            #expect(try await rig.mirror.deadLetters().map(\.code) == ["42501"])
            #expect(try await Self.heal(rig)["retry_dead_letters"]?.changed == 0)
            try await rig.mirror.database.write { try $0.script("drop trigger refuse on products") }
            let before = rig.control.statistics.calls
            #expect(try await Self.heal(rig)["retry_dead_letters"]?.changed == 1)
            #expect(rig.control.statistics.calls == before)
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
            let due = { try await Self.heal(rig) { $0.isAskedFor = false }["retry_dead_letters"] != nil }
            #expect(try await due() == false)
            rig.control.advanceClock(by: .seconds(3_601))
            #expect(try await due())
            rig.control.advanceClock(by: .seconds(3_601))
            #expect(try await due() == false, "the second pause is of two hours")
            rig.control.advanceClock(by: .seconds(3_601))
            #expect(try await due())
        }
    }

    @Test("What the database refuses is tried as it came and costs no call; that it failed is no success")
    func refusedByDatabase() async throws {
        try await Rig.with(.sqlite) { rig in
            let refused = rig.control.ids(.items).prefix(120).joined(separator: "','")
            try await rig.tamper(
                """
                create trigger refuse before insert on products when new.zoho_item_id in ('\(refused)')
                    begin select raise(abort, 'never'); end
                """)
            try await rig.sync(["products"]) { $0.includesDetails = false }
            #expect(try await rig.mirror.deadLetterCount() == 120)
            let calls = try await rig.calls {
                let healed = try await Self.heal(rig)
                #expect(healed["reread_dead_letters"] == nil)
                #expect(healed["retry_dead_letters"]?.state == .failed)
                #expect(healed["retry_dead_letters"]?.outcome.contains("120 failed again") == true)
                #expect(healed["retry_dead_letters"]?.outcome.contains("zohosync dead-letters") == true)
            }
            #expect(calls == 0)
        }
    }

    @Test("Healing reads few records at a time and leaves the reserve of calls alone", arguments: Engine.allCases)
    func bounded(engine: Engine) async throws {
        // One call after the other: how many are left of the day is exact only then.
        var limits = BudgetLimits()
        (limits.callsPerMinute, limits.detailCallsPerMinute, limits.inFlight) = (nil, nil, 1)
        try await Rig.with(engine, limits: limits) {
            $0.limits.callsPerDay = 30
        } _: { rig in
            _ = try await rig.mirror.store(
                rig.control.ids(.invoices).map { id in
                    let body = "{\"invoice\":{\"invoice_id\":\"\(id)\",\"total\":5"
                    return NewDelivery(
                        entity: "invoices", content: .unreadable(body: Array(body.utf8), reason: "it is cut off"),
                        receivedAt: rig.mirror.now(), requestID: nil)
                })
            func heal() async throws -> (calls: Int, record: HealingRecord?) {
                var record: HealingRecord?
                let calls = try await rig.calls { record = try await Self.heal(rig)["reread_dead_letters"] }
                return (calls, record)
            }
            let first = try await heal()
            #expect(first.calls == 10)
            #expect(first.record?.changed == 10)
            #expect(first.record?.outcome.contains("20 more") == true)
            #expect(try await heal().calls == 10)
            let last = try await heal()
            #expect((1...7).contains(last.calls), "three of the day's thirty are kept")
            #expect(last.record?.state == .waiting, "\(last.record?.outcome ?? "")")
            // A webhook's mark of a record that healing waits for is read from the reserve.
            let waiting = try #require(try await rig.value("select zoho_id from sync_inbox"))
            let invoices = try #require(Catalog.entity(named: "invoices"))
            #expect(try await rig.mirror.mark([waiting], of: invoices) == 1)
            #expect(try await rig.mirror.mark([waiting], of: invoices, priority: .background) == 0)
            try await rig.withClient { client in
                try await DeliveryProcessor(
                    mirror: rig.mirror, client: client, process: "test:1", random: { 0 },
                    logger: Logger(label: "test")
                ).drainOnce()
            }
            #expect(try await rig.value("select count(*) from invoices where zoho_invoice_id = '\(waiting)'") == "1")
        }
    }

    @Test("A record that comes as it came is left to a person, and healing says so")
    func inVain() async throws {
        try await Rig.with(.sqlite) { rig in
            // Zoho gives it, and the database refuses it.
            let id = rig.control.id(.invoices, at: 0)
            try await rig.tamper(
                "create trigger refuse before insert on invoices begin select raise(abort, 'never'); end")
            let body = "{\"invoice\":{\"invoice_id\":\"\(id)\",\"total\":5"
            _ = try await rig.mirror.store([
                NewDelivery(
                    entity: "invoices", content: .unreadable(body: Array(body.utf8), reason: "it is cut off"),
                    receivedAt: rig.mirror.now(), requestID: nil)
            ])
            let healed = try await Self.heal(rig)["reread_dead_letters"]
            #expect(healed?.state == .failed, "\(healed?.outcome ?? "")")
            #expect(healed?.outcome.contains("0 of 1") == true)
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

    @Test("What changed while no server ran is caught up once", arguments: Engine.allCases)
    func downtime(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            #expect(try await rig.mirror.noteUptime(tolerance: 90_000_000) == false)
            rig.control.advanceClock(by: .seconds(600))
            try rig.control.edit(.items, at: 0, ["rate": 99.5])
            rig.control.advanceClock(by: .seconds(600))
            #expect(try await rig.mirror.noteUptime(tolerance: 90_000_000))
            #expect(try await rig.mirror.noteUptime(tolerance: 90_000_000) == false)
            // Somebody reads them already.
            try await rig.mirror.acquireLease("sync bills", holder: "far:1#1", duration: 60)
            let caughtUp = try await Self.heal(rig)["catch_up"]
            #expect(caughtUp?.changed == 1)
            #expect(caughtUp?.reason.contains("bills") == false)
            #expect(
                try await rig.value(
                    "select unit_price from products where zoho_item_id = '\(rig.control.id(.items, at: 0))'") == "99.5"
            )
            #expect(try await Self.heal(rig)["catch_up"] == nil)
        }
    }

    @Test("After a gap healing is due at once, unless a server has begun it since", arguments: Engine.allCases)
    func wakesHealing(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func isWoken(isBegunSince: Bool) async throws -> Bool {
                let before = rig.mirror.now()
                try await rig.mirror.noteUptime(tolerance: 90_000_000)
                rig.control.advanceClock(by: .seconds(1_200))
                let now = rig.mirror.now()
                let record = ScheduleRecord(
                    name: "healing", dueAt: now + 3_600_000_000, startedAt: isBegunSince ? now : before)
                try await rig.mirror.save(record)
                try await rig.mirror.noteUptime(tolerance: 90_000_000, waking: "healing")
                let kept = try #require(try await rig.mirror.scheduleRecords().first { $0.name == "healing" })
                return kept.dueAt < record.dueAt
            }
            let fromBefore = try await isWoken(isBegunSince: false)
            #expect(fromBefore)
            let since = try await isWoken(isBegunSince: true)
            #expect(!since)
        }
    }

    @Test("What begins to be read while healing catches up is left to who reads it, and is no failure")
    func overtaken() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync()
            _ = try await rig.mirror.noteUptime(tolerance: 90_000_000)
            rig.control.advanceClock(by: .seconds(1_200))
            _ = try await rig.mirror.noteUptime(tolerance: 90_000_000)
            try await rig.withClient { client in
                func caughtUp(
                    _ synchronise: @escaping @Sendable (SyncOptions) async throws -> SyncReport
                ) async throws -> HealingRecord? {
                    let processor = DeliveryProcessor(
                        mirror: rig.mirror, client: client, process: "test:1", logger: Logger(label: "test"))
                    return try await Healer(
                        mirror: rig.mirror, client: client, options: HealingOptions(), process: "test:1",
                        isDead: { _ in false }, processor: processor, synchronise: synchronise
                    ).heal().first { $0.action == "catch_up" }
                }
                let all = try await caughtUp { throw SyncRunsError.running(entity: $0.entities[0], runID: nil) }
                #expect(all?.state == .done)
                #expect(all?.changed == 0)
                let some = try await caughtUp { options in
                    if options.entities.contains("bills") { throw SyncRunsError.running(entity: "bills", runID: nil) }
                    if options.entities.contains("vendors") {
                        throw MirrorError.leased(name: "sync vendors", holder: "far:1", secondsLeft: 9)
                    }
                    return try await Synchroniser(
                        client: client, mirror: rig.mirror, options: options, process: "test:1"
                    ).run()
                }
                #expect(some?.outcome.hasPrefix("7 entities were read") == true)
            }
        }
    }

    @Test("A run can be taken back as long as its changes are kept", arguments: Engine.allCases)
    func runsOfKeptChanges(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["pricelists"])
            rig.control.advanceClock(by: .seconds(600))
            try rig.control.edit(.pricebooks, at: 0, ["name": "changed"])
            try await rig.sync(["pricelists"])
            let run = try #require(try await rig.mirror.runs(limit: 1).first)
            for _ in 0..<2 { try await rig.sync(["pricelists"]) }
            rig.control.advanceClock(by: .seconds(300 * 86_400))
            #expect(try await Self.heal(rig)["prune"]?.changed == 1, "one run has changed nothing")
            let report = try await RunUndo(mirror: rig.mirror, process: "test:1").undo(run.id, isRehearsal: true)
            #expect(report.reverted == 1)
            try await rig.sync(["pricelists"])
            rig.control.advanceClock(by: .seconds(66 * 86_400))
            try await Self.heal(rig)
            #expect(try await rig.mirror.run(run.id) == nil)
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
            // A delivery of which a list has brought what is newer, and one of an entity that was never listed.
            for entity in ["invoices", "bills"] {
                _ = try await rig.mirror.mark(["1"], of: try #require(Catalog.entity(named: entity)))
            }
            rig.control.advanceClock(by: .seconds(60))
            try await rig.sync(["invoices"])
            rig.control.advanceClock(by: .seconds(366 * 86_400))
            try await Self.heal(rig)
            #expect(try await rig.rows("select entity from sync_inbox") == [["bills"]])
            #expect(try await rig.value("select count(*) from sync_changes") == "0")
            #expect(try await rig.value("select count(*) from invoices") == "30")
        }
    }
}
