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
            #expect(try await HealthTests.checks(rig)["drift"]?.state == .warning)
            let asked = try await HealTests.heal(rig)["repair_drift"]
            #expect(asked?.outcome == HealingRecord.question)
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
                return try await Reconciler(client: client, mirror: rig.mirror, options: options, holder: "test:1")
                    .run()
            }
            #expect(try await rig.mirror.reconciliations(entity: "bills").first?.state == .incomplete)
            let inVain = try await HealTests.heal(rig)["repair_drift"]
            #expect(inVain?.outcome.hasPrefix(HealingRecord.waiting) == true, "\(inVain?.outcome ?? "")")
            #expect(inVain?.isDone == true)
            #expect(try await HealTests.heal(rig) { $0.isAskedFor = false }["repair_drift"] == nil, "not at once")
            rig.control.advanceClock(by: .seconds(86_400))
            #expect(try await HealTests.heal(rig) { $0.isAskedFor = false }["repair_drift"]?.isDone == true)
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
            #expect(stopped?.isDone == false)
            #expect(stopped?.outcome.contains("--allow-mass-deletion") == true)
            #expect(try await rig.value("select count(*) from products where deleted_at is null") == "450")
            #expect(try await HealTests.heal(rig)["repair_drift"]?.outcome == HealingRecord.question)
        }
    }
}
