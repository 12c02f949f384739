import Foundation
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Reconciliation: lists")
struct ReconcileListTests {
    /// Does something once, when the first page of a list has arrived and the second was not asked for.
    private static func betweenPages(
        of module: String, _ change: @escaping @Sendable () -> Void
    ) -> @Sendable (ReconciliationEvent) async -> Void {
        let isDone = Mutex(false)
        return { event in
            guard case .page(module, 1) = event else { return }
            let isFirst = isDone.withLock { done in
                defer { done = true }
                return !done
            }
            if isFirst { change() }
        }
    }

    @Test("Records that move to a page that was read already are told by their ids, and not taken for gone")
    func moved() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["customers", "vendors"])
            let ids = (0..<250).map { rig.control.id(.contacts, at: $0) }
            let control = rig.control
            let report = try await rig.compare(
                ["customers", "vendors"], inFlight: 1, { $0.sample = 0 },
                onEvent: Self.betweenPages(of: "contacts") {
                    // Page 2 loses its first three to page 1.
                    for id in ids[..<3] { try? control.delete(.contacts, id: id) }
                })
            let moved = report.entities.flatMap(\.findings.moved)
            #expect(Set(moved) == Set(ids[200..<203]))
            #expect(report.entities.allSatisfy { $0.findings.drift.isEmpty })
            let kept = try await rig.mirror.reconciliations(limit: 2).map {
                String(decoding: $0.drift.bytes, as: UTF8.self)
            }
            for id in ids[200..<203] { #expect(kept.contains { $0.contains(#""moved":["#) && $0.contains(id) }) }

            // A repair lists again where the list has changed while it was read.
            let repaired = try await rig.compare(
                ["customers", "vendors"], inFlight: 1, { $0.repairs = true },
                onEvent: Self.betweenPages(of: "contacts") { try? control.delete(.contacts, id: ids[10]) })
            #expect(repaired.isEqual)
            let left = try await rig.value(
                """
                select (select count(*) from customers where deleted_at is null)
                    + (select count(*) from vendors where deleted_at is null)
                """)
            #expect(left == "246")
        }
    }

    @Test("Records that come twice are told by their ids, and counted once over all lists")
    func duplicates() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["products"])
            rig.control.script(.duplicateRows, next: 1, prefix: "/items")
            let report = try await rig.compare(["products"])
            #expect(report.isEqual)
            let duplicates = try report["products"].duplicates
            #expect(duplicates.count > 20)
            #expect(Set(duplicates).count == duplicates.count)
            #expect(Set(duplicates).isSubset(of: rig.control.ids(.items)))
            let kept = try #require(try await rig.mirror.reconciliations(entity: "products").first)
            #expect(String(decoding: kept.drift.bytes, as: UTF8.self).contains(#""duplicated":["\#(duplicates[0])""#))

            try rig.control.edit(.items, id: rig.control.id(.items, at: 0), ["name": "again"])
            let twice = try await rig.compare(["products"]) { $0.repairs = true }
            #expect(twice.isEqual)
            #expect(try twice["products"].listed == 450)
            #expect(try twice["products"].rowsCompared == 450)
            #expect(try twice["products"].drift.count == 1)
        }
    }

    @Test("A list of any length can be compared where Zoho tells no totals", arguments: [150, 200, 201, 700, 1_150])
    func lengths(count: Int) async throws {
        try await Rig.with(.sqlite) {
            $0.listTotals = .none
            $0.counts[.items] = count
        } _: { rig in
            try await rig.sync(["products"]) { $0.includesDetails = false }
            try await rig.tamper("update products set detail_due = 0, detail_synced_at = synced_at")
            let report = try await rig.compare(["products"]) { $0.sample = 0 }
            #expect(try report["products"].state == .equal)
            #expect(try report["products"].listed == count)
            #expect(report.calls == PagePlan.pages(for: count))
        }
    }

    @Test("A list that has grown beyond what was announced concerns its own entities alone")
    func grown() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["products", "invoices"])
            for index in 0..<400 {
                rig.control.create(.items, ["name": SimulatorValue(stringLiteral: "new \(index)")])
            }
            let before = rig.control.statistics.calls
            let report = try await rig.compare(["products", "invoices"])
            #expect(try report["products"].state == .incomplete)
            #expect(try report["products"].note?.contains("beyond the announced 4 pages") == true)
            #expect(try report["invoices"].state == .equal)
            #expect(rig.control.statistics.calls - before <= report.cost.ceiling)
        }
    }

    @Test("A module that is not enabled is equal only where the mirror has nothing of it")
    func absent() async throws {
        try await Rig.with(.sqlite) {
            $0.disabledModules = [.bills]
        } _: { rig in
            try await rig.sync()
            #expect(try await rig.compare()["bills"].state == .equal)
            try await rig.tamper(
                """
                insert into bills (zoho_bill_id, zoho_data, detail_due, observed_at, synced_at, content_hash)
                    select 'b1', zoho_data, detail_due, observed_at, synced_at, content_hash from invoices limit 1
                """)
            let report = try await rig.compare()
            #expect(!report.isEqual)
            #expect(try report["bills"].state == .incomplete)
            #expect(try report["bills"].note?.contains("the mirror holds 1 rows") == true)
        }
    }

    @Test("Contacts are followed from the newest to the watermark, at one call", arguments: Engine.allCases)
    func sortedContacts(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["customers", "vendors"])
            rig.control.advanceClock(by: .seconds(3_600))
            let id = try #require(try await rig.value("select zoho_contact_id from customers order by id limit 1"))
            try rig.control.edit(.contacts, id: id, ["company_name": "Later Ltd"])
            let calls = try await rig.calls {
                try await rig.sync(["customers", "vendors"]) { $0.includesDetails = false }
            }
            #expect(calls == 1)
            #expect(
                try await rig.value("select company_name from customers where zoho_contact_id = '\(id)'")
                    == "Later Ltd")
            let cursor = try await rig.mirror.cursor(of: "customers")
            #expect(cursor.listCount == 250)
        }
    }
}
