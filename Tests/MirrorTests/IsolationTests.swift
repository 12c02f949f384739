import Catalog
import Database
import Logging
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("Records that cannot be applied")
struct IsolationTests {
    @Test("Of 200 records, those that the database refuses cost themselves alone and are kept whole")
    func poison() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            try await mirror.database.write {
                try $0.script("alter table products add constraint no_x check (name not like 'x%')")
            }
            let records = (1...200).map { id in
                [7, 8, 120].contains(id) ? SampleRecord.product(id).with(["name": "\"x\(id)\""]) : .product(id)
            }
            let result = try await mirror.apply(records, at: time)
            #expect(result.counts == [.inserted: 197, .failed: 3])
            #expect(try await mirror.text("select count(*) from products") == "197")
            #expect(try await mirror.text("select count(*) from sync_changes") == "197")
            let letters = try await mirror.deadLetters()
            try #require(letters.map(\.zohoID) == ["7", "8", "120"])
            #expect(letters.allSatisfy { $0.code == "23514" && $0.reason.contains("no_x") })
            #expect(Array(letters[0].record.bytes) == Array(records[6].json.bytes))

            #expect(try await mirror.retry(letters[0]) == .applied(.failed))
            #expect(try await mirror.deadLetters().first { $0.zohoID == "7" }?.attempts == 2)
            try await mirror.database.write { try $0.script("alter table products drop constraint no_x") }
            for letter in try await mirror.deadLetters() {
                #expect(try await mirror.retry(letter) == .applied(.inserted))
            }
            #expect(try await mirror.deadLetterCount() == 0)
            #expect(try await mirror.text("select count(*) from products") == "200")
        }
    }

    /// Lets the database look at each product before it is inserted.
    private static func addTrigger(_ statements: String, to mirror: Mirror) async throws {
        try await mirror.database.write {
            try $0.script(
                """
                create function inspect() returns trigger language plpgsql as $$ begin
                    \(statements)
                    return new;
                end $$;
                create trigger inspect before insert on products for each row execute function inspect();
                """)
        }
    }

    @Test("A trigger that fails at one record costs that record, also where it comes alone")
    func brokenTrigger() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            try await Self.addTrigger("if new.name = 'bad' then perform missing(new.id); end if;", to: mirror)
            func bad(_ id: Int) -> SampleRecord { SampleRecord.product(id).with(["name": "\"bad\""]) }
            #expect(try await mirror.apply([.product(1), bad(2)], at: time).counts == [.inserted: 1, .failed: 1])
            #expect(try await mirror.apply([bad(3)], at: time).counts == [.failed: 1])
            // The inbox tries again before it gives up.
            let delivery = Origin.deliveries(["6": DeliveryReference(id: 1, requestID: nil)])
            await #expect(throws: DatabaseError.self) { try await mirror.apply([bad(6)], at: time, origin: delivery) }
            let letters = try await mirror.deadLetters()
            #expect(letters.map(\.zohoID) == ["2", "3"] && letters.allSatisfy { $0.code == "42883" })
            #expect(letters.allSatisfy { $0.reason.contains("trigger") }, "\(letters.map(\.reason))")
        }
    }

    @Test(
        "A record that cannot become rows is kept; a good one of the same id takes its letter away",
        arguments: Engine.allCases)
    func unreadable(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let broken = SampleRecord.product(3).with(["last_modified_time": "\"yesterday\""])
            let nameless = SampleRecord.product(4).with(["item_id": nil])
            let result = try await mirror.apply([.product(1), broken, nameless], at: time)
            #expect(result.counts == [.inserted: 1, .failed: 2])
            let letters = try await mirror.deadLetters()
            #expect(letters.contains { $0.zohoID == nil && $0.reason.contains("item_id") })
            try await mirror.apply([.product(3)], at: time)
            #expect(try await mirror.deadLetters().allSatisfy { $0.zohoID == nil })
        }
    }

    @Test(
        "A character that no database's text holds costs its value alone, on both engines alike",
        arguments: Engine.allCases,
        [#"\u0000"#, #"\ud800"#, #"\udc00\ud800"#, #"\ud800\\udc00"#])
    func unspeakable(engine: Engine, escape: String) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let tree = #"\ud83c\udf33 \\u0000 \u00e4"#
            let record = SampleRecord.product(2).with([
                "brand": "\"a\(escape)b\"", "unmapped": "\"c\(escape)d\"", "tree": "\"\(tree)\"",
            ])
            for shape in [RecordShape.list, .detail] {
                let result = try await mirror.apply([.product(1), record, .product(3)], shape, at: time)
                #expect(result[.failed] == 0)
                #expect(result.faults.map(\.fault.field) == ["brand"])
            }
            #expect(try await mirror.deadLetterCount() == 0)
            #expect(try await mirror.text("select count(*) from products where brand is null") == "3")
            let stored = try #require(
                try await mirror.text("select cast(zoho_data as text) from products where zoho_item_id = '2'"))
            try RawJSON(stored).read { view in
                let unmapped = try #require(try view.member("unmapped")?.text())
                #expect(unmapped.hasPrefix("c\u{FFFD}") && unmapped.hasSuffix("d"))
                #expect(try view.member("tree")?.text() == "\u{1F333} \\u0000 ä")
            }
        }
    }

    @Test("A record that the database has no room for in an index, or a trigger refuses in its own words, stands alone")
    func refusals() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            try await Self.addTrigger(
                """
                if new.name like 'code%' then raise exception 'no' using errcode = substr(new.name, 6); end if;
                if new.name = 'missing' then perform from missing; end if;
                """, to: mirror)
            let codes = ["42501", "40001", "ZZ001", "57000"]
            let records = codes.enumerated().map { index, code in
                SampleRecord.product(100 + index).with(["name": "\"code \(code)\""])
            }
            let broken = [200, 201].map { SampleRecord.product($0).with(["name": "\"missing\""]) }
            let result = try await mirror.apply([.product(1)] + records + [broken[0], .product(2)], at: time)
            #expect(result.counts == [.inserted: 2, .failed: 5])
            let refused = try await mirror.deadLetters().compactMap(\.code)
            #expect(Set(refused) == Set(codes + ["42P01"]))
            // What nothing gets past is no record's fault.
            let error = await #expect(throws: DatabaseError.self) { try await mirror.apply(broken, at: time) }
            #expect(error?.kind == .trigger)

            var random = SeededGenerator(seed: 1)
            let id = (0..<10_000).map { _ in String(Int.random(in: 0..<36, using: &random), radix: 36) }.joined()
            let wide = SampleRecord.invoice(1, lines: 0).with([
                "line_items": "[\(SampleRecord.line(id, quantity: "1"))]"
            ])
            let invoices = try await mirror.apply(
                [wide, .invoice(2, lines: 1)], .detail, of: "invoices", at: time)
            #expect(invoices.counts == [.inserted: 1, .failed: 1])
            #expect(try await mirror.deadLetters(entity: "invoices").map(\.code) == ["54000"])
        }
    }

    @Test("A letter stays open until what was refused is brought: a list does not bring a detail")
    func letters() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            try await mirror.database.write {
                try $0.script(
                    """
                    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
                    create trigger refuse before insert on invoice_line_items for each row when (new.line_order > 1)
                        execute function refuse();
                    """)
            }
            func details() async throws -> ApplyResult {
                try await mirror.apply(
                    [.invoice(1, lines: 1), .invoice(2, lines: 2)], .detail, of: "invoices", at: time)
            }
            func lists() async throws -> ApplyResult {
                try await mirror.apply([.invoiceSummary(1), .invoiceSummary(2)], of: "invoices", at: time)
            }
            _ = try await lists()
            for attempt in 1...3 {
                time.advance(by: 60)
                _ = try await details()
                time.advance(by: 60)
                #expect(try await lists().counts == [.unchanged: 2])
                #expect(try await mirror.deadLetters().map(\.zohoID) == ["2"])
                #expect(try await mirror.deadLetters().map(\.attempts) == [attempt])
            }
            // Nor does what Zoho said before, and what is too old to be applied.
            try await mirror.database.write { try $0.script("drop trigger refuse on invoice_line_items") }
            let earlier = ManualTime(time.now - 3_600_000_000)
            #expect(try await mirror.apply([.invoice(2, lines: 2)], .detail, of: "invoices", at: earlier)[.stale] == 1)
            #expect(try await mirror.deadLetterCount() == 1)
            #expect(try await details().counts == [.updated: 1, .unchanged: 1])
            #expect(try await mirror.deadLetterCount() == 0)
        }
    }

    @Test("What commits alongside commits with the records or not at all", arguments: Engine.allCases)
    func alongside(engine: Engine) async throws {
        struct Stop: Error {}
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            var batch = Batch(try #require(Catalog.entity(named: "products")), origin: .run(1))
            batch.add(SampleRecord.product(1).json, shape: .list, observedAt: time.now)
            await #expect(throws: Stop.self) {
                try await mirror.apply(batch) { transaction, _ in
                    var cursor = Cursor(entity: "products")
                    cursor.resumePage = 2
                    try transaction.save(cursor)
                    throw Stop()
                }
            }
            #expect(try await mirror.text("select count(*) from products") == "0")
            #expect(try await mirror.cursor(of: "products").resumePage == nil)
        }
    }
}
