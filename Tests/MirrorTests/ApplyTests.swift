import Catalog
import Database
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("Applying records")
struct ApplyTests {
    @Test("A new record is a row, an entry of the change log, and an outstanding detail", arguments: Engine.allCases)
    func insert(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let result = try await mirror.apply([.product(11)], at: time, origin: .run(7))
            #expect(result.counts == [.inserted: 1])
            let row = try await mirror.texts(
                "select zoho_item_id, name, unit_price, stock_quantity, is_active, zoho_modified_at, detail_due from products"
            )
            #expect(row == [["11", "Product 11", "42.5", "8", "1", "2026-03-01T09:00:00Z", "1"]])
            let change = try await mirror.texts(
                "select entity, zoho_id, kind, changed_at, run_id, changes from sync_changes")
            #expect(change == [["products", "11", "inserted", "2026-03-02T12:00:00Z", "7", nil]])
        }
    }

    @Test("Money and quantities keep the digits that Zoho sent, ids all of theirs", arguments: Engine.allCases)
    func exact(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let record = SampleRecord.product(1).with([
                "item_id": "\"9223372036854775808\"", "rate": "0.1", "purchase_rate": "\"1234567890123456.789\"",
                "stock_on_hand": "1e3", "available_stock": "-0.30",
            ])
            try await mirror.apply([record], at: time)
            let row = try await mirror.texts(
                "select zoho_item_id, unit_price, purchase_price, stock_quantity, available_stock from products")
            #expect(row == [["9223372036854775808", "0.1", "1234567890123456.789", "1000", "-0.3"]])
            let sum =
                engine == .postgres
                ? try await mirror.text("select sum(unit_price) * 3 = 0.3 from products")
                : try await mirror.text("select typeof(unit_price) = 'text' from products")
            #expect(sum == "1")
        }
    }

    @Test(
        "A detail that was read counts, though it tells an earlier time under another key than the list",
        arguments: Engine.allCases)
    func otherTime(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let summary = SampleRecord([
                "payment_id": "\"1\"", "amount": "5", "last_modified_time": SampleRecord.time(1),
            ])
            let detail = SampleRecord([
                "payment_id": "\"1\"", "amount": "5", "description": "\"cash\"", "updated_time": SampleRecord.time(0),
            ])
            let state = "select description, zoho_modified_at, detail_due from customer_payments"
            try await mirror.apply([summary], .list, of: "customer_payments", at: time, origin: .run(1))
            time.advance(by: 60)
            let result = try await mirror.apply([detail], .detail, of: "customer_payments", at: time, origin: .run(1))
            #expect(result.counts == [.updated: 1])
            #expect(try await mirror.texts(state) == [["cash", "2026-03-01T09:00:01Z", "0"]])
            // What was read within the second of the edit may be followed by another one of that second.
            let fresh = detail.with(["payment_id": "\"2\"", "updated_time": "\"\(Timestamp.text(time.now))\""])
            try await mirror.apply([fresh], .detail, of: "customer_payments", at: time, origin: .run(1))
            #expect(
                try await mirror.text("select detail_due from customer_payments where zoho_payment_id = '2'") == "1")
            try await mirror.database.write {
                try $0.script("delete from customer_payments where zoho_payment_id = '2'")
            }
            // A delivery is ordered by the time that it tells: it may have been overtaken.
            time.advance(by: 60)
            let late = detail.with(["description": "\"older\""])
            let references = DeliveryReference(id: 1, requestID: nil)
            let stale = try await mirror.apply(
                [late], .detail, of: "customer_payments", at: time, origin: .deliveries(["1": references]))
            #expect(stale.counts == [.stale: 1])
            #expect(try await mirror.texts(state) == [["cash", "2026-03-01T09:00:01Z", "0"]])
        }
    }

    @Test("The same record again writes no row at all, whatever its shape", arguments: Engine.allCases)
    func unchanged(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.customer(5)], .detail, of: "customers", at: time)
            let before = try await Self.versions(mirror, engine)
            time.advance(by: 60)
            let twins = SampleRecord.customer(5).with(["unused_credits_receivable_amount_formatted": "\"€0.00\""])
            #expect(
                try await mirror.apply([.customer(5)], .detail, of: "customers", at: time).counts == [.unchanged: 1])
            #expect(try await mirror.apply([twins], .detail, of: "customers", at: time).counts == [.unchanged: 1])
            #expect(
                try await mirror.apply([.customerSummary(5)], .list, of: "customers", at: time).counts
                    == [.unchanged: 1])
            #expect(try await Self.versions(mirror, engine) == before)
            #expect(try await mirror.text("select count(*) from sync_changes") == "1")
        }
    }

    /// What tells whether a row has been written: its version in PostgreSQL, all its values in SQLite.
    private static func versions(_ mirror: Mirror, _ engine: Engine) async throws -> [[String?]] {
        let tables = ["customers", "customer_addresses", "customer_contacts"]
        return try await tables.asyncFlatMap { table in
            try await mirror.texts(
                engine == .postgres
                    ? "select xmin::text, ctid::text from \(table) order by id" : "select * from \(table)")
        }
    }

    @Test("A changed record is one update, with each changed column before and after", arguments: Engine.allCases)
    func update(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.product(1), .product(2)], at: time)
            time.advance(by: 60)
            let changed = SampleRecord.product(1).with(["rate": "45.00", "name": "\"Ünïcode \\\"1\\\"\""]).modified(60)
            let result = try await mirror.apply([changed, .product(2)], at: time)
            #expect(result.counts == [.updated: 1, .unchanged: 1])
            let log = try await mirror.text("select changes from sync_changes where kind = 'updated'")
            let changes = try #require(log).replacing(" ", with: "")
            for part in [
                #""unit_price":{"after":45,"before":42.5}"#, #""name":{"after":"Ünïcode\"1\"","before":"Product1"}"#,
            ] {
                let mirrored = part.replacing(
                    #/\{"after":(.*),"before":(.*)\}/#, with: { "{\"before\":\($0.2),\"after\":\($0.1)}" })
                #expect(changes.contains(part) || changes.contains(mirrored), "\(changes)")
            }
        }
    }

    @Test("A list never blanks what only a detail says, and never takes children away", arguments: Engine.allCases)
    func listAfterDetail(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.customer(5)], .detail, of: "customers", at: time)
            time.advance(by: 60)
            let renamed = SampleRecord.customerSummary(5).with(["company_name": "\"New name\""]).modified(60)
            #expect(
                try await mirror.apply([renamed], .list, of: "customers", at: time).counts == [.updated: 1])
            #expect(
                try await mirror.texts("select company_name, notes, detail_due from customers") == [
                    ["New name", "Rings twice", "1"]
                ])
            #expect(try await mirror.text("select count(*) from customer_addresses") == "2")
            #expect(try await mirror.text("select count(*) from customer_contacts") == "2")
            let raw = try await mirror.text("select zoho_data from customers")
            #expect(raw?.contains("Rings twice") == true && raw?.contains("New name") == true)
        }
    }

    @Test("A detail replaces children as a set, and a child that stays keeps its number", arguments: Engine.allCases)
    func children(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.invoice(9, lines: 3)], .detail, of: "invoices", at: time)
            let ids = try await mirror.texts("select zoho_line_item_id, id from invoice_line_items order by 1")
            time.advance(by: 60)
            let lines = [SampleRecord.line("92", quantity: "2"), SampleRecord.line("95", quantity: "7")]
            let edited = SampleRecord.invoice(9, lines: 0)
                .with(["line_items": "[\(lines.joined(separator: ","))]"]).modified(60)
            #expect(try await mirror.apply([edited], .detail, of: "invoices", at: time).counts == [.updated: 1])
            let rows = try await mirror.texts(
                "select zoho_line_item_id, quantity, unit_price, id from invoice_line_items order by 1")
            try #require(rows.map { $0[0] } == ["92", "95"] && ids.count == 3)
            #expect(rows.map { $0[1] } == ["2", "7"])
            #expect(rows.map { $0[2] } == ["0.1", "0.1"])
            #expect(rows[0][3] == ids[1][1])
            let log = try await mirror.text("select changes from sync_changes where kind = 'updated'")
            #expect(log?.contains("invoice_line_items") == true)
        }
    }

    @Test("An older record is stale and leaves the row alone", arguments: Engine.allCases)
    func stale(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([SampleRecord.product(1).with(["name": "\"new\""]).modified(60)], .detail, at: time)
            time.advance(by: 10)
            let older = SampleRecord.product(1).with(["name": "\"old\""]).modified(59)
            #expect(try await mirror.apply([older], .detail, at: time).counts == [.stale: 1])
            #expect(try await mirror.text("select name from products") == "new")
            #expect(try await mirror.text("select count(*) from sync_changes") == "1")
        }
    }

    @Test("Of two records of one second, the one that Zoho said later wins, whichever arrives first")
    func sameSecond() async throws {
        let time = ManualTime()
        try await withMirror(.sqlite, time: time) { mirror in
            let early = SampleRecord.product(1).with(["stock_on_hand": "5"])
            let late = SampleRecord.product(1).with(["stock_on_hand": "4"])
            let earlier = ManualTime(time.now - 1_000_000)
            try await mirror.apply([late], .detail, at: time)
            #expect(try await mirror.apply([early], .detail, at: earlier).counts == [.stale: 1])
            #expect(try await mirror.text("select stock_quantity from products") == "4")
        }
    }

    @Test("A record that a list holds twice counts once, and the newer of the two", arguments: Engine.allCases)
    func duplicates(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let newer = SampleRecord.product(1).with(["name": "\"newer\""]).modified(5)
            let result = try await mirror.apply([newer, .product(1), .product(2)], at: time)
            #expect(result.counts == [.inserted: 2, .unchanged: 1])
            #expect(
                try await mirror.texts("select name from products order by zoho_item_id") == [["newer"], ["Product 2"]])
        }
    }

    @Test(
        "A deletion keeps the row; what Zoho said before it stays away, what it says later restores",
        arguments: Engine.allCases)
    func tombstones(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let products = try #require(Catalog.entity(named: "products"))
            try await mirror.apply([.product(1), .product(2)], at: time)
            let before = ManualTime(time.now + 1_000_000)
            time.advance(by: 60)
            let deleted = try await mirror.markDeleted(
                ["1", "1", "404"], of: products, observedAt: time.now, origin: .run(1))
            #expect(deleted == 1)
            #expect(
                try await mirror.texts("select deleted_at from products order by id") == [
                    ["2026-03-02T12:01:00Z"], [nil],
                ])
            #expect(try await mirror.apply([SampleRecord.product(1).modified(9)], at: before).counts == [.stale: 1])
            time.advance(by: 60)
            #expect(try await mirror.apply([.product(1)], at: time).counts == [.restored: 1])
            #expect(try await mirror.text("select count(*) from products where deleted_at is null") == "2")
            #expect(
                try await mirror.texts("select kind from sync_changes where zoho_id = '1' order by id")
                    == [["inserted"], ["deleted"], ["restored"]])
        }
    }

    @Test("A deletion that was confirmed before a row was seen again leaves the row alone")
    func lateDeletion() async throws {
        let time = ManualTime()
        try await withMirror(.sqlite, time: time) { mirror in
            let earlier = time.now - 1
            try await mirror.apply([.product(1)], at: time)
            let products = try #require(Catalog.entity(named: "products"))
            #expect(try await mirror.markDeleted(["1"], of: products, observedAt: earlier, origin: .run(1)) == 0)
        }
    }

    @Test("A rehearsal says what would happen and leaves nothing behind", arguments: Engine.allCases)
    func rehearsal(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.product(1)], at: time)
            let before = try await mirror.contents(of: "products")
            time.advance(by: 60)
            var batch = Batch(try #require(Catalog.entity(named: "products")), origin: .run(1))
            for record in [SampleRecord.product(1).with(["name": "\"x\""]).modified(60), .product(2)] {
                batch.add(record.json, shape: .list, observedAt: time.now)
            }
            #expect(try await mirror.rehearse(batch).counts == [.updated: 1, .inserted: 1])
            #expect(try await mirror.contents(of: "products") == before)
            #expect(try await mirror.text("select count(*) from sync_changes") == "1")
        }
    }
}

extension Sequence {
    func asyncFlatMap<T>(_ transform: (Element) async throws -> [T]) async rethrows -> [T] {
        var result: [T] = []
        for element in self { result += try await transform(element) }
        return result
    }
}
