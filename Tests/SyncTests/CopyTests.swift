import Catalog
import Foundation
import Mirror
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("A sync makes a copy")
struct CopyTests {
    @Test("Every record of every module lands, whole and exact, with its children", arguments: Engine.allCases)
    func whole(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let report = try await rig.sync()
            #expect(report.isSuccess)
            #expect(report.detailsOutstanding == 0)
            try await Self.expectEqual(rig)
        }
    }

    /// Expects that every column and every child row of the entities is the source's.
    static func expectEqual(_ rig: Rig, of names: [String]? = nil) async throws {
        for mapping in Catalog.entities where names?.contains(mapping.entity.name) ?? true {
            try await SourceCopy(rig, mapping).expectRows()
        }
    }

    /// Stock moves no time, so nothing but the moment of the question tells which of the two is older.
    @Test(
        "What a webhook says while a list is on its way is not overwritten by it", .timeLimit(.minutes(30)),
        arguments: Engine.allCases)
    func meanwhile(engine: Engine) async throws {
        let clock = GateClock(isOpen: true)
        try await Rig.with(engine) {
            $0.latency = .seconds(1)
            $0.clock = clock
        } _: { rig in
            try await rig.sync(["products"])
            let id = rig.control.id(.items, at: 0)
            clock.close()
            async let sync = rig.sync(["products"]) { $0.includesDetails = false }
            // The answer is made, and on its way.
            try await clock.untilAsleep()
            try rig.control.setStock(id: id, to: 7)
            var batch = Batch(try #require(Catalog.entity(named: "products")), origin: .retry)
            let record = try #require(rig.control.record(.items, id: id))
            batch.add(RawJSON(record[...]), shape: .detail, observedAt: rig.mirror.now())
            _ = try await rig.mirror.apply(batch)
            clock.open()
            #expect(try await sync.isSuccess)
            let stock = try await rig.value("select stock_quantity from products where zoho_item_id = '\(id)'")
            #expect(stock.flatMap { Double($0) } == 7)
        }
    }

    @Test("A second sync of an unchanged organisation writes no row and logs no change", arguments: Engine.allCases)
    func nothingChanged(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let tables = [
                "products", "customers", "customer_addresses", "pricelists", "product_prices", "invoices", "bills",
            ]
            var before: [[[String?]]] = []
            for table in tables { before.append(try await Self.versions(rig, table, engine)) }
            let changes = try await rig.value("select count(*) from sync_changes")
            let report = try await rig.sync()
            #expect(report.isSuccess)
            #expect(report.runs.allSatisfy { $0.progress[.inserted] + $0.progress[.updated] == 0 })
            #expect(report.runs.allSatisfy { $0.progress.details == 0 })
            for (table, rows) in zip(tables, before) {
                #expect(try await Self.versions(rig, table, engine) == rows, "\(table)")
            }
            #expect(try await rig.value("select count(*) from sync_changes") == changes)
        }
    }

    /// What tells whether a row has been written: its version in PostgreSQL, all its values in SQLite.
    private static func versions(_ rig: Rig, _ table: String, _ engine: Engine) async throws -> [[String?]] {
        try await rig.rows(
            engine == .postgres
                ? "select xmin::text, ctid::text from \(table) order by id" : "select * from \(table) order by id")
    }

    @Test(
        "Edits, creations, deactivations and mergers between two syncs land with the second", arguments: Engine.allCases
    )
    func changes(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let control = rig.control
            control.advanceClock(by: .seconds(3_600))
            let item = control.id(.items, at: 3)
            try control.edit(.items, id: item, ["rate": 12.35, "name": "Renamed"])
            let stocked = control.id(.items, at: 4)
            try control.setStock(id: stocked, to: 7.5)
            try control.deactivate(.items, id: control.id(.items, at: 5))
            let created = control.create(.items, ["name": "Brand new"])
            let invoice = control.id(.invoices, at: 2)
            try control.edit(.invoices, id: invoice, ["notes": "Changed"])
            let report = try await rig.sync()
            #expect(report.isSuccess)
            #expect(try await rig.value("select unit_price from products where zoho_item_id = '\(item)'") == "12.35")
            #expect(
                try await rig.value("select stock_quantity from products where zoho_item_id = '\(stocked)'") == "7.5")
            #expect(try await rig.value("select name from products where zoho_item_id = '\(created)'") == "Brand new")
            try await Self.expectEqual(rig)
        }
    }

    @Test("A vendor's new name, and a merger of vendors, reach the items that name them", arguments: Engine.allCases)
    func vendors(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let control = rig.control
            control.advanceClock(by: .seconds(3_600))
            let vendors = try await rig.rows(
                "select zoho_vendor_id from products group by zoho_vendor_id having zoho_vendor_id <> '' order by 1"
            ).compactMap { $0[0] }
            try control.edit(.contacts, id: vendors[0], ["contact_name": "New Name & Sons"])
            try control.merge(contacts: [vendors[1]], into: vendors[2])
            try await rig.sync()
            let report = try await rig.compare { $0.repairs = true }
            #expect(report.isEqual, "\(report.entities.map { ($0.entity, $0.findings.note ?? "") })")
            try await Self.expectEqual(rig)
            let names = try await rig.rows(
                """
                select distinct p.vendor_name = v.name from products p join vendors v on v.zoho_contact_id = zoho_vendor_id
                where zoho_vendor_id in ('\(vendors[0])', '\(vendors[2])')
                """)
            #expect(names.count == 1)
            #expect(
                try await rig.value("select count(*) from products where zoho_vendor_id = '\(vendors[1])'") == "0")
        }
    }

    @Test("An edit in the second of the last one seen is not lost", arguments: [SimulatorModule.invoices, .items])
    func sameSecond(module: SimulatorModule) async throws {
        try await Rig.with(.sqlite) { rig in
            let control = rig.control
            try control.edit(module, id: control.id(module, at: 0), ["notes": "first"])
            try await rig.sync()
            // The simulator's clock stands in the same second, as Zoho's does for edits that follow at once.
            let id = control.id(module, at: 1)
            try control.edit(module, id: id, [module == .items ? "name" : "notes": "second"])
            try await rig.sync()
            try await Self.expectEqual(rig)
            let change = try await rig.value(
                "select count(*) from sync_changes where zoho_id = '\(id)' and kind = 'updated'")
            #expect(change != "0")
        }
    }

    @Test(
        "Of two edits of a record in one second, with a sync between, none is lost, whatever a list shows of the second",
        arguments: Engine.allCases, [["total": "2000.5", "notes": "second"], ["notes": "second"]])
    func sameSecondTwice(engine: Engine, second: [String: String]) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let control = rig.control
            let id = control.id(.invoices, at: 2)
            func edit(_ changes: [String: String], quantity: Int) throws {
                var lines = try #require(try rig.record(.invoices, id)["line_items"] as? [[String: Any]])
                lines[0]["quantity"] = quantity
                let json = String(decoding: try JSONSerialization.data(withJSONObject: lines), as: UTF8.self)
                let values = changes.mapValues { Double($0) == nil ? SimulatorValue.string($0) : .json($0) }
                try control.edit(.invoices, id: id, values.merging(["line_items": .json(json)]) { $1 })
            }
            try edit(["total": "1000.5", "notes": "first"], quantity: 21)
            try await rig.sync()
            try edit(second, quantity: 22)
            try await rig.sync()
            try await Self.expectEqual(rig, of: ["invoices"])
            control.advanceClock(by: .seconds(5))
            #expect(try await rig.sync().detailsOutstanding == 0)
            #expect(try await rig.calls { try await rig.sync(["invoices"]) } == 1)
        }
    }

    @Test("A list's record that tells no time has its detail read again when it changes", arguments: Engine.allCases)
    func untimed(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.faults = [.missingModifiedTime: 1]
        } _: { rig in
            try await rig.sync(["credit_notes"])
            // The fault takes the time from the fourth record of seven.
            let id = rig.control.id(.creditnotes, at: 3)
            try rig.control.edit(.creditnotes, id: id, ["reference_number": "6666", "notes": "second"])
            try await rig.sync(["credit_notes"])
            let row = try await rig.rows(
                "select reference_number, notes from credit_notes where zoho_creditnote_id = '\(id)'")
            #expect(row == [["6666", "second"]])
        }
    }

    @Test("Random edits while syncs run, then one more sync: the mirror equals the source", arguments: Engine.allCases)
    func editsMeanwhile(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let control = rig.control
            async let edits: Void = {
                for step in 0..<300 {
                    let module: SimulatorModule = [.items, .contacts, .invoices][step % 3]
                    let id = control.id(module, at: step * 7 % control.count(module))
                    switch module {
                    case .items: try control.edit(.items, id: id, ["rate": .json("\(step).25")])
                    case .contacts: try control.edit(.contacts, id: id, ["notes": .string("note \(step)")])
                    default: try control.edit(.invoices, id: id, ["reference_number": .string("ref \(step)")])
                    }
                    await Task.yield()
                }
            }()
            try await rig.sync()
            try await rig.sync()
            try await edits
            control.advanceClock(by: .seconds(5))
            try await rig.sync()
            try await Self.expectEqual(rig)
        }
    }
}
