import Catalog
import Database
import Foundation
import Mirror
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Reconciliation")
struct ReconcileTests {
    private static func compare(
        _ rig: Rig, _ change: (inout ReconciliationOptions) -> Void = { _ in }
    ) async throws -> ReconciliationReport {
        var options = ReconciliationOptions()
        change(&options)
        return try await rig.withClient { client in
            try await Reconciler(
                client: client, mirror: rig.mirror, options: options, holder: "test:1", random: { 0.5 }
            ).run()
        }
    }

    private static func drift(_ report: ReconciliationReport, of entity: String) -> [Drift] {
        report.entities.first { $0.entity == entity }?.findings.drift ?? []
    }

    @Test("A mirror that agrees is equal, at the cost of its lists and the sample", arguments: Engine.allCases)
    func equal(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let before = rig.control.statistics.calls
            let changes = try await rig.value("select count(*) from sync_changes")
            let report = try await Self.compare(rig)
            #expect(report.isEqual)
            #expect(report.entities.allSatisfy { $0.findings.state == .equal })
            #expect(report.calls == rig.control.statistics.calls - before)
            #expect(report.calls <= report.cost.ceiling - report.cost.confirmations)
            let kept = try await rig.mirror.reconciliations(entity: "products")
            #expect(kept.map(\.state) == [.equal])
            #expect(kept.first?.rowsCompared == 450)
            #expect(try await rig.value("select count(*) from sync_changes") == changes, "it writes nothing")
        }
    }

    @Test("Each kind of drift is found, confirmed and repaired", arguments: Engine.allCases)
    func kinds(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let item = (0..<5).map { rig.control.id(.items, at: $0) }
            let invoice = rig.control.id(.invoices, at: 0)
            let created = rig.control.create(.items, ["name": "new"])
            try rig.control.delete(.items, id: item[1])
            try rig.control.edit(.items, id: item[2], ["rate": 99.5])
            try rig.control.setStock(id: item[3], to: 4_711)
            try await rig.mirror.database.write { transaction in
                try transaction.script(
                    """
                    update products set deleted_at = synced_at where zoho_item_id = '\(item[4])';
                    delete from invoice_line_items where invoice_id =
                        (select id from invoices where zoho_invoice_id = '\(invoice)');
                    update invoices set content_hash = 'gone' where zoho_invoice_id = '\(invoice)';
                    """)
            }
            let found = try await Self.compare(rig) { $0.sample = 0 }
            #expect(!found.isEqual)
            let kinds = Dictionary(
                uniqueKeysWithValues: Self.drift(found, of: "products").map { ($0.zohoID, $0.kind) })
            #expect(
                kinds == [
                    created: .missing, item[1]: .extra, item[2]: .outdated, item[3]: .different,
                    item[4]: .wronglyDeleted,
                ])
            #expect(
                Self.drift(found, of: "products").first { $0.zohoID == item[2] }?.fields.contains("unit_price") == true)
            #expect(Self.drift(found, of: "invoices").map(\.kind) == [.children])
            #expect(try await rig.value("select count(*) from products where deleted_at is not null") == "1")

            let repaired = try await Self.compare(rig) { $0.repairs = true }
            #expect(repaired.isEqual)
            #expect(Self.drift(repaired, of: "products").filter { !$0.isRepaired }.isEmpty)
            #expect(try await rig.value("select unit_price from products where zoho_item_id = '\(item[2])'") == "99.5")
            #expect(
                try await rig.value("select count(*) from products where deleted_at is not null") == "1",
                "the deleted one, and no longer the wrongly deleted one")
            let run = try await rig.mirror.runs(entity: "products").first
            #expect(run?.kind == .reconciliation)
            #expect(run?.progress[.deleted] == 1)
            let again = try await Self.compare(rig) { $0.isDeep = true }
            #expect(again.entities.allSatisfy { $0.findings.state == .equal })
        }
    }

    @Test("Children that differ under an equal list are found by a deep comparison", arguments: Engine.allCases)
    func deep(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let customer = try #require(
                try await rig.value("select zoho_contact_id from customers order by id limit 1"))
            try await rig.mirror.database.write { transaction in
                try transaction.script(
                    """
                    update customer_addresses set city = 'Nowhere' where customer_id =
                        (select id from customers where zoho_contact_id = '\(customer)');
                    update customers set content_hash =
                        substr(content_hash, 1, length(content_hash) - 1) ||
                        case when substr(content_hash, length(content_hash), 1) = '0' then '1' else '0' end
                    where zoho_contact_id = '\(customer)';
                    """)
            }
            let shallow = try await Self.compare(rig) {
                $0.entities = ["customers"]
                $0.sample = 0
            }
            #expect(shallow.isEqual)
            let deep = try await Self.compare(rig) {
                $0.entities = ["customers"]
                $0.isDeep = true
                $0.repairs = true
            }
            #expect(Self.drift(deep, of: "customers").map(\.kind) == [.children])
            #expect(deep.calls <= deep.cost.ceiling)
            #expect(try await rig.value("select count(*) from customer_addresses where city = 'Nowhere'") == "0")
        }
    }

    @Test("A record that a list leaves out is read before it is called gone")
    func moved() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync()
            // Page 2 of the contacts loses a row to page 1, which was read before.
            let first = rig.control.id(.contacts, at: 0)
            let before = try await rig.value("select count(*) from customers where deleted_at is null")
            let report = try await rig.withClient { client in
                var options = ReconciliationOptions()
                options.entities = ["customers", "vendors"]
                options.sample = 0
                return try await Reconciler(
                    client: client, mirror: rig.mirror, options: options, holder: "test:1", concurrency: 1,
                    onEvent: { event in
                        if case .announced = event { try? rig.control.delete(.contacts, id: first) }
                    }
                ).run()
            }
            let drift = report.entities.flatMap { $0.findings.drift }
            #expect(drift.map(\.zohoID) == [first])
            #expect(drift.map(\.kind) == [.extra])
            #expect(try await rig.value("select count(*) from customers where deleted_at is null") == before)
        }
    }

    @Test("A source that lost half its records empties no mirror until a person agrees", arguments: Engine.allCases)
    func massDeletion(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"])
            for index in 0..<225 { try rig.control.delete(.items, id: rig.control.id(.items, at: index)) }
            let refused = try await Self.compare(rig) {
                $0.entities = ["products"]
                $0.repairs = true
            }
            #expect(!refused.isEqual)
            #expect(refused.entities.first?.findings.note?.contains("--allow-mass-deletion") == true)
            #expect(try await rig.value("select count(*) from products where deleted_at is not null") == "0")
            let agreed = try await Self.compare(rig) {
                $0.entities = ["products"]
                $0.repairs = true
                $0.allowsMassDeletion = true
            }
            #expect(agreed.isEqual)
            #expect(try await rig.value("select count(*) from products where deleted_at is not null") == "225")
        }
    }

    @Test("When the calls for confirming are used up, what is left is said")
    func allowance() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["invoices"])
            for index in 0..<10 {
                try rig.control.edit(.invoices, id: rig.control.id(.invoices, at: index), ["reference_number": "x"])
            }
            let report = try await Self.compare(rig) {
                $0.entities = ["invoices"]
                $0.confirmations = 4
                $0.sample = 0
            }
            #expect(report.calls <= report.cost.ceiling)
            #expect(report.entities.first?.findings.unconfirmed == 6)
            #expect(report.entities.first?.findings.state == .incomplete)
            #expect(report.entities.first?.findings.drift.count == 4)
        }
    }

    @Test("The day's end stops a comparison, which says so and changes nothing")
    func quota() async throws {
        try await Rig.with(.sqlite) {
            $0.limits.callsPerDay = 3
        } _: { rig in
            try await rig.sync(["bills", "invoices"]) { $0.includesDetails = false }
            let report = try await Self.compare(rig) { $0.entities = ["bills", "invoices"] }
            #expect(!report.isEqual)
            #expect(report.entities.map(\.findings.state) == [.equal, .incomplete])
            #expect(try await rig.mirror.runs(entity: "bills").first?.state == .partial)
        }
    }

    @Test("A comparison and a sync of one entity exclude each other")
    func exclusive() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["bills"])
            try await rig.mirror.acquireLease("sync bills", holder: "elsewhere:7", duration: 60)
            await #expect(throws: MirrorError.self) {
                let report = try await Self.compare(rig) { $0.entities = ["bills"] }
                Issue.record("compared: \(report.calls)")
            }
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
