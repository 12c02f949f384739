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

/// Differences between source and mirror, and what healing does about them.
@Suite("Healing of differences")
struct HealDriftTests {
    private static func compare(_ rig: Rig) async throws -> ReconciliationReport {
        try await rig.withClient { client in
            try await Reconciler(
                client: client, mirror: rig.mirror, options: ReconciliationOptions(), process: "test:1", random: { 0.5 }
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
            #expect(try await HealTests.heal(rig)["repair_drift"]?.changed == 2)
            #expect(try await HealthTests.checks(rig)["drift"]?.state == .ok)
            #expect(try await HealTests.heal(rig).isEmpty)
        }
    }

    @Test("A source that lost half its records does not empty the mirror: healing asks", arguments: Engine.allCases)
    func massDeletion(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            for id in rig.control.ids(.items).prefix(225) { try rig.control.delete(.items, id: id) }
            _ = try await Self.compare(rig)
            let check = try await HealthTests.checks(rig)["drift"]
            #expect(check?.state == .critical)
            #expect(check?.figure == 225)
            #expect(check?.advice.contains("--allow-mass-deletion") == true)
            let asked = try await HealTests.heal(rig)["repair_drift"]
            #expect(asked?.state == .question)
            #expect(asked?.reason.contains("--allow-mass-deletion") == true)
            #expect(try await rig.value("select count(*) from products where deleted_at is null") == "450")
        }
    }

    @Test("A comparison that was not complete for a passing reason is made again, and nobody is asked")
    func incomplete() async throws {
        try await Rig.with(.sqlite) {
            $0.limits.callsPerDay = 3
        } _: { rig in
            try await rig.sync(["bills", "invoices"]) { $0.includesDetails = false }
            _ = try await rig.withClient { client in
                var options = ReconciliationOptions()
                options.entities = ["bills", "invoices"]
                return try await Reconciler(client: client, mirror: rig.mirror, options: options, process: "test:1")
                    .run()
            }
            #expect(try await rig.mirror.reconciliations(entity: "bills").first?.state == .incomplete)
            let inVain = try await HealTests.heal(rig)["repair_drift"]
            #expect(inVain?.state == .waiting, "\(inVain?.outcome ?? "")")
            #expect(try await HealTests.heal(rig) { $0.isAskedFor = false }["repair_drift"] == nil, "not at once")
            rig.control.advanceClock(by: .seconds(86_400))
            #expect(try await HealTests.heal(rig) { $0.isAskedFor = false }["repair_drift"]?.state.isOpen == false)
            let bills = try await rig.mirror.reconciliations(entity: "bills")
            // Compared to its end by now: all that is left are the details that were never read.
            #expect(bills.count == 3)
            #expect(bills.first?.note?.contains("details") == true, "\(bills.first?.note ?? "")")
        }
    }

    @Test("A repair that stops at its bound is left to a person", arguments: Engine.allCases)
    func bound(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            try rig.control.edit(.items, at: 449, ["rate": 99.5])
            _ = try await Self.compare(rig)
            // After the comparison and before the repair.
            for id in rig.control.ids(.items).prefix(225) { try rig.control.delete(.items, id: id) }
            let stopped = try await HealTests.heal(rig)["repair_drift"]
            #expect(stopped?.state == .question)
            #expect(stopped?.outcome.contains("--allow-mass-deletion") == true)
            #expect(try await rig.value("select count(*) from products where deleted_at is null") == "450")
            #expect(try await HealTests.heal(rig)["repair_drift"]?.state == .question)
        }
    }

    // MARK: - What no list shows

    /// What was done to rows, and how many are left of it.
    enum Damage: String, CaseIterable, CustomTestStringConvertible {
        case children = "update invoice_line_items set quantity = '7777'"
        case columns = "update invoices set notes = 'forged'"

        var left: String {
            switch self {
            case .children: "select count(*) from invoice_line_items where quantity = '7777'"
            case .columns: "select count(*) from invoices where notes = 'forged'"
            }
        }
        var testDescription: String { "\(self)" }
    }

    @Test(
        "What only details show is repaired by healing, record by record, also when a comparison of lists came between",
        arguments: Engine.allCases, Damage.allCases)
    func hidden(engine: Engine, damage: Damage) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["invoices"])
            try await rig.tamper(damage.rawValue)
            #expect(try await rig.compare(["invoices"]) { $0.isDeep = true }["invoices"].drift.count == 30)
            let shallow = try await rig.compare(["invoices"]) {
                $0.sample = 0
                $0.confirmations = 20
            }
            let seen = try shallow["invoices"]
            #expect(seen.drift.count == 30)
            #expect(!shallow.isEqual, "\(seen.state), \(seen.unconfirmed), \(seen.detailsCompared)")
            #expect(shallow.calls <= shallow.cost.ceiling)
            #expect(try await HealthTests.checks(rig)["drift"]?.figure == 30)
            let healed = try await HealTests.heal(rig)["repair_drift"]
            #expect(healed?.changed == 30, "\(healed?.outcome ?? "")")
            #expect(try await rig.value(damage.left) == "0")
            #expect(try await HealthTests.checks(rig)["drift"]?.state == .ok)
            #expect(try await rig.compare(["invoices"]) { $0.isDeep = true }["invoices"].state == .equal)
        }
    }

    @Test("What a sample has shown of all is repaired of all", arguments: Engine.allCases, Damage.allCases)
    func sampled(engine: Engine, damage: Damage) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["invoices"])
            try await rig.tamper(damage.rawValue)
            let found = try await rig.compare(["invoices"])
            #expect(try found["invoices"].drift.count == 5)
            #expect(try found["invoices"].state == .incomplete)
            #expect(try found["invoices"].unproven >= 25)
            #expect(try found["invoices"].note?.contains("--deep") == true)
            let healed = try await HealTests.heal(rig)["repair_drift"]
            #expect(healed?.changed == 30, "\(healed?.outcome ?? "")")
            #expect(try await rig.value(damage.left) == "0")
            #expect(try await HealthTests.checks(rig)["drift"]?.state == .ok)
        }
    }

    // MARK: - The day's calls

    /// Two hundred invoices, a plan of 300 calls a day of which 30 are the reserve, and a new day at noon.
    private static func onSmallPlan(_ engine: Engine, _ body: (Rig) async throws -> Void) async throws {
        try await Rig.with(engine) {
            $0.counts[.invoices] = 200
            $0.limits.callsPerDay = 300
            $0.now = { Date(timeIntervalSince1970: 1_772_535_600) }
        } _: { rig in
            try await rig.sync(["products"])
            try await rig.sync(["invoices"])
            rig.control.advanceClock(by: .seconds(86_400))
            try await body(rig)
        }
    }

    private static func compareUnattended(_ rig: Rig, _ entity: String) async throws -> Findings {
        try await rig.compare([entity]) { $0.isUnattended = true }[entity]
    }

    private static func healUnattended(_ rig: Rig) async throws -> HealingRecord? {
        try await HealTests.heal(rig) { $0.isAskedFor = false }["repair_drift"]
    }

    @Test(
        "Where details are unverified, healing leaves the day's calls to lists, and comes to an end over some days",
        arguments: Engine.allCases)
    func unverifiedForDays(engine: Engine) async throws {
        try await Self.onSmallPlan(engine) { rig in
            var left: [Int] = []
            while left.last != 0, left.count < 6 {
                // Each day again, also of what was read since.
                try await rig.tamper("update invoices set notes = 'forged'")
                let found = try await Self.compareUnattended(rig, "invoices")
                #expect(found.unproven <= left.last ?? 200, "what was read is not unverified anew")
                _ = try await Self.healUnattended(rig)
                let stock = try await rig.sync(["products"])
                #expect(stock.runs[0].state == .completed && stock.quotaReturnsAt == nil)
                left.append(
                    try #require(try await rig.mirror.reconciliations(entity: "invoices", limit: 1).first).unverified)
                rig.control.advanceClock(by: .seconds(86_400))
            }
            #expect(left.last == 0, "\(left)")
            #expect(left.count > 1, "a day's calls are not enough: \(left)")
            let size = try await rig.value("select max(length(cast(drift as text))) from sync_reconciliations")
            #expect(size.flatMap { Int($0) } ?? .max < 100_000)
        }
    }

    @Test("Unverified details are read on by themselves, without a list")
    func unverifiedWithoutLists() async throws {
        try await Self.onSmallPlan(.sqlite) { rig in
            try await rig.tamper("update invoices set notes = 'forged'")
            _ = try await Self.compareUnattended(rig, "invoices")
            #expect(try await Self.healUnattended(rig)?.state == .waiting)
            let before = try #require(try await rig.mirror.reconciliations(entity: "invoices", limit: 1).first)
            #expect(before.state == .incomplete && before.unverified > 0)
            #expect(before.drift.bytes.count < 50_000)
            rig.control.advanceClock(by: .seconds(86_400))
            let lists = rig.control.statistics.callsByPath["/invoices"] ?? 0
            let repaired = try #require(try await Self.healUnattended(rig))
            #expect(rig.control.statistics.callsByPath["/invoices"] ?? 0 == lists)
            let after = try #require(try await rig.mirror.reconciliations(entity: "invoices", limit: 1).first)
            #expect(before.unverified - after.unverified == repaired.changed && repaired.changed > 20)
        }
    }

    @Test("A list that would take the calls that syncs need is not compared, and healing waits")
    func listTooLong() async throws {
        try await Rig.with(.sqlite) {
            $0.counts[.invoices] = 4_000
            $0.limits.callsPerDay = 60
            $0.now = { Date(timeIntervalSince1970: 1_772_535_600) }
        } _: { rig in
            try await rig.sync(["invoices"]) { $0.includesDetails = false }
            try await rig.sync(["bills"]) { $0.includesDetails = false }
            for _ in 0..<5 { try await rig.sync(["bills"]) { $0.includesDetails = false } }
            let calls = try await rig.calls {
                let found = try await Self.compareUnattended(rig, "invoices")
                #expect(found.state == .incomplete && found.listed == 0)
                #expect(found.note?.contains("20 calls") == true, "\(found.note ?? "")")
                let healed = try await Self.healUnattended(rig)
                #expect(healed?.state == .waiting, "\(healed?.outcome ?? "")")
            }
            #expect(calls == 0)
        }
    }

    @Test("Details that syncs have yet to bring are no reason to list everything again")
    func outstandingIsNoDrift() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["invoices"]) { $0.includesDetails = false }
            #expect(try await Self.compareUnattended(rig, "invoices").state == .incomplete)
            let lists = rig.control.statistics.callsByPath["/invoices"]
            let healed = try await HealTests.heal(rig)["repair_drift"]
            #expect(healed == nil, "\(healed?.outcome ?? "")")
            #expect(rig.control.statistics.callsByPath["/invoices"] == lists)
        }
    }

    @Test("More differences than are told of one by one are repaired all the same")
    func many() async throws {
        try await Rig.with(.sqlite) {
            $0.counts[.items] = 1_300
        } _: { rig in
            try await rig.sync(["products"])
            try await rig.tamper("update products set vendor_name = 'forged'")
            #expect(try await rig.compare(["products"]) { $0.isDeep = true }["products"].drift.count == 1_300)
            let last = try #require(try await rig.mirror.reconciliations(entity: "products").first)
            #expect(last.driftCount == 1_300)
            #expect(try await HealTests.heal(rig)["repair_drift"]?.changed == 1_300)
            #expect(try await rig.compare(["products"]) { $0.isDeep = true }["products"].state == .equal)
        }
    }

    // MARK: - What a question is not about

    @Test("While a person is asked about what is gone, the rest is repaired", arguments: Engine.allCases)
    func besidesQuestion(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"])
            for id in rig.control.ids(.items).prefix(60) { try rig.control.delete(.items, id: id) }
            let wrong = rig.control.ids(.items).prefix(3)
            try await rig.tamper(
                "update products set name = 'WRONG' where zoho_item_id in ('\(wrong.joined(separator: "','"))')")
            #expect(try await rig.compare(["products"])["products"].drift.count == 3)
            let check = try await HealthTests.checks(rig)["drift"]
            #expect(check?.state == .critical)
            #expect(check?.parts == ["products": 63])
            let healed = try await HealTests.heal(rig)["repair_drift"]
            #expect(healed?.changed == 3, "\(healed?.outcome ?? "")")
            #expect(healed?.state == .question)
            #expect(healed?.outcome.contains("--allow-mass-deletion") == true)
            #expect(try await rig.value("select count(*) from products where name = 'WRONG'") == "0")
            #expect(try await rig.value("select count(*) from products where deleted_at is null") == "450")
            #expect(try await HealTests.heal(rig)["repair_drift"]?.state == .question)
        }
    }

    @Test("What a comparison did find counts, also where it was not complete")
    func incompleteCounts() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["products"])
            try await rig.tamper("update products set name = 'WRONG'")
            _ = try await rig.compare(["products"]) {
                $0.confirmations = 2
                $0.sample = 0
            }
            let check = try await HealthTests.checks(rig)["drift"]
            #expect(check?.figure == 200)
            #expect(check?.state == .critical)
        }
    }
}

extension Reconciliation {
    /// How many records it left with unverified details.
    fileprivate var unverified: Int {
        (try? drift.read { Int(try $0.member("counts")?.member("unproven")?.text() ?? "0") ?? 0 }) ?? 0
    }
}
