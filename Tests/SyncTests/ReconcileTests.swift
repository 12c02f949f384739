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
    @Test("A mirror that agrees is equal, at the cost of its lists and the sample", arguments: Engine.allCases)
    func equal(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let before = rig.control.statistics.calls
            let changes = try await rig.value("select count(*) from sync_changes")
            let report = try await rig.compare()
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
            try await rig.tamper(
                """
                update products set deleted_at = synced_at where zoho_item_id = '\(item[4])';
                delete from invoice_line_items where invoice_id =
                    (select id from invoices where zoho_invoice_id = '\(invoice)');
                update invoices set customer_name = 'WRONG' where zoho_invoice_id = '\(invoice)';
                """)
            let found = try await rig.compare { $0.sample = 0 }
            #expect(!found.isEqual)
            let drift = try found["products"].drift
            #expect(
                Dictionary(uniqueKeysWithValues: drift.map { ($0.zohoID, $0.kind) }) == [
                    created: .missing, item[1]: .extra, item[2]: .outdated, item[3]: .different,
                    item[4]: .wronglyDeleted,
                ])
            #expect(drift.first { $0.zohoID == item[2] }?.fields.contains("unit_price") == true)
            #expect(try found["invoices"].drift.map(\.fields) == [["customer_name", "invoice_line_items"]])
            #expect(try await rig.value("select count(*) from products where deleted_at is not null") == "1")

            let repaired = try await rig.compare { $0.repairs = true }
            #expect(repaired.isEqual)
            #expect(try repaired["products"].drift.allSatisfy(\.isRepaired))
            #expect(try await rig.value("select unit_price from products where zoho_item_id = '\(item[2])'") == "99.5")
            #expect(
                try await rig.value("select count(*) from products where deleted_at is not null") == "1",
                "the deleted one, and no longer the wrongly deleted one")
            let run = try await rig.mirror.runs(entity: "products").first
            #expect(run?.kind == .reconciliation)
            #expect(run?.progress[.deleted] == 1)
            let again = try await rig.compare { $0.isDeep = true }
            #expect(again.entities.allSatisfy { $0.findings.state == .equal })
        }
    }

    @Test(
        "Columns that lists show are compared with the list, whatever the content hash says", arguments: Engine.allCases
    )
    func columns(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            try await rig.tamper(
                "update products set unit_price = '1.11', name = 'WRONG'; update invoices set total = '0'")
            let found = try await rig.compare { $0.sample = 0 }
            #expect(try found["products"].drift.count == 450)
            #expect(try found["products"].drift.allSatisfy { $0.fields.contains("name") })
            #expect(try found["invoices"].drift.count { $0.fields == ["total"] } == 30)
            let repaired = try await rig.compare { $0.repairs = true }
            #expect(repaired.isEqual)
            #expect(try repaired["products"].state == .repaired)
            try await CopyTests.expectEqual(rig)
            #expect(try await rig.compare { $0.isDeep = true }.entities.allSatisfy { $0.findings.state == .equal })
        }
    }

    @Test("Children and columns that only details show are compared with the detail", arguments: Engine.allCases)
    func children(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let hashes = "select zoho_invoice_id, content_hash from invoices order by id"
            let before = try await rig.rows(hashes)
            try await rig.tamper(
                """
                delete from invoice_line_items; delete from product_prices;
                update customer_addresses set city = 'Nowhere'; update invoices set notes = 'forged';
                """)
            #expect(try await rig.compare { $0.sample = 0 }.isEqual, "a list says nothing of them")
            let deep = try await rig.compare { $0.isDeep = true }
            #expect(try deep["invoices"].drift.count == 30)
            #expect(try deep["invoices"].drift.allSatisfy { $0.fields == ["notes", "invoice_line_items"] })
            #expect(try deep["pricelists"].counts.keys.map(\.self) == [.children])
            #expect(try deep["customers"].counts.keys.map(\.self) == [.children])
            #expect(try await rig.value("select count(*) from invoice_line_items") == "0")

            let repaired = try await rig.compare {
                $0.isDeep = true
                $0.repairs = true
            }
            #expect(repaired.isEqual)
            #expect(repaired.calls <= repaired.cost.ceiling)
            try await CopyTests.expectEqual(rig)
            #expect(try await rig.rows(hashes) == before)
            #expect(try await rig.compare { $0.isDeep = true }.entities.allSatisfy { $0.findings.state == .equal })
        }
    }

    @Test("A sample finds children that are gone", arguments: Engine.allCases)
    func sample(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["invoices"])
            try await rig.tamper("delete from invoice_line_items")
            let report = try await rig.compare(["invoices"]) { $0.sample = 5 }
            #expect(try report["invoices"].drift.map(\.kind) == Array(repeating: .children, count: 5))
            #expect(try report["invoices"].state == .incomplete, "what the sample says of the others is not known")
        }
    }

    @Test("A repair goes on with all details where its sample shows that they differ", arguments: Engine.allCases)
    func sampleOfRepair(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["invoices"])
            try await rig.tamper("update invoices set notes = 'forged' where id % 4 = 0")
            let repaired = try await rig.compare(["invoices"]) {
                $0.repairs = true
                $0.sample = 10
            }
            #expect(repaired.isEqual)
            #expect(repaired.calls <= repaired.cost.ceiling)
            #expect(try repaired["invoices"].detailsCompared == 30)
            #expect(try await rig.value("select count(*) from invoices where notes = 'forged'") == "0")

            try await rig.tamper("update invoices set notes = 'forged'")
            let short = try await rig.compare(["invoices"]) {
                $0.repairs = true
                $0.confirmations = 10
            }
            #expect(short.calls <= short.cost.ceiling)
            #expect(try short["invoices"].state == .incomplete)
            #expect(try short["invoices"].unproven == 15)
            // What was left unverified is read first by the next one, whatever its sample says.
            let rest = try await rig.compare(["invoices"]) {
                $0.repairs = true
                $0.sample = 0
            }
            #expect(rest.isEqual)
            #expect(try rest["invoices"].drift.count == 15)
            #expect(try await rig.value("select count(*) from invoices where notes = 'forged'") == "0")
        }
    }

    @Test("An equal report says how many details were not read")
    func detailsNotRead() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["invoices"])
            #expect(try await rig.compare(["invoices"]).detailsNotRead == 25)
            #expect(try await rig.compare(["invoices"]) { $0.isDeep = true }.detailsNotRead == 0)
        }
    }

    @Test("Details that the mirror lacks are never equal, and a deep comparison reads them", arguments: Engine.allCases)
    func outstanding(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["invoices", "bills"]) { $0.includesDetails = false }
            let shallow = try await rig.compare(["invoices", "bills"])
            #expect(!shallow.isEqual)
            #expect(try shallow["invoices"].state == .incomplete)
            #expect(try shallow["invoices"].note?.contains("30 details are outstanding") == true)
            let deep = try await rig.compare(["invoices", "bills"]) { $0.isDeep = true }
            #expect(try deep["invoices"].state == .different)
            #expect(try deep["invoices"].drift.count == 30)
            let repaired = try await rig.compare(["invoices", "bills"]) {
                $0.isDeep = true
                $0.repairs = true
            }
            #expect(repaired.isEqual)
            #expect(try await rig.value("select count(*) from invoice_line_items") != "0")
            #expect(try await rig.value("select count(*) from invoices where detail_synced_at is null") == "0")

            try await rig.tamper(
                """
                update bills set detail_due = \(engine == .postgres ? "true" : "1"),
                    detail_synced_at = '2000-01-01T00:00:00.000000Z'
                """)
            #expect(try await rig.compare(["bills"])["bills"].outstanding == 10)
        }
    }

    @Test("A row that claims to be newer than the source is put right", arguments: Engine.allCases)
    func newer(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let far = "'2099-01-01T00:00:00.000000Z'"
            let item = rig.control.id(.items, at: 7)
            let gone = rig.control.id(.items, at: 8)
            try rig.control.delete(.items, id: gone)
            try await rig.tamper(
                """
                update products set zoho_modified_at = \(far), observed_at = \(far), name = 'forged'
                    where zoho_item_id in ('\(item)', '\(gone)');
                update pricelists set zoho_modified_at = \(far), name = 'forged';
                """)
            let found = try await rig.compare(["products", "pricelists"])
            #expect(try Set(found["products"].drift.map(\.zohoID)) == [item, gone])
            #expect(try found["pricelists"].drift.count == 4)
            let repaired = try await rig.compare(["products", "pricelists"]) { $0.repairs = true }
            #expect(repaired.isEqual)
            #expect(try await rig.compare(["products", "pricelists"])["pricelists"].state == .equal)
            for table in ["products", "pricelists"] {
                let left = "select count(*) from \(table) where zoho_modified_at >= '2099-01-01' and deleted_at is null"
                #expect(try await rig.value(left) == "0")
            }
            #expect(
                try await rig.value("select count(*) from products where name = 'forged' and deleted_at is null") == "0"
            )
        }
    }

    @Test("What a webhook brings while a record is read is not taken back by a repair", arguments: Engine.allCases)
    func overtaken(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"])
            let mapping = try #require(Catalog.entity(named: "products"))
            let id = rig.control.id(.items, at: 0)
            let old = try #require(rig.control.record(.items, id: id))
            let askedAt = rig.mirror.now()
            try rig.control.edit(.items, id: id, ["name": "Newest"])
            let new = try #require(rig.control.record(.items, id: id))
            var delivery = Batch(mapping, origin: .retry)
            delivery.add(RawJSON(new[...]), shape: .detail, observedAt: rig.mirror.now())
            _ = try await rig.mirror.apply(delivery)
            var repair = Batch(mapping, origin: .repair(run: 1, askedAt: askedAt))
            repair.add(RawJSON(old[...]), shape: .detail, observedAt: rig.mirror.now())
            #expect(try await rig.mirror.apply(repair)[.stale] == 1)
            #expect(try await rig.value("select name from products where zoho_item_id = '\(id)'") == "Newest")
        }
    }

    @Test("A comparison and a sync of one entity exclude each other")
    func exclusive() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["bills"])
            try await rig.mirror.acquireLease("sync bills", holder: "elsewhere:7", duration: 60)
            await #expect(throws: MirrorError.self) {
                let report = try await rig.compare(["bills"])
                Issue.record("compared: \(report.calls)")
            }
        }
    }
}
