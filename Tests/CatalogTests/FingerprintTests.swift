import Catalog
import TestSupport
import Testing
import ZohoBooks

@Suite("Fingerprints")
struct FingerprintTests {
    @Test(
        "a webhook body and the detail record of one state are the same in all three parts",
        arguments: Fixture.all.filter { $0.variant == "webhook" })
    func webhook(fixture: Fixture) throws {
        let detail = try Fixture(entity: fixture.entity, variant: "detail").record()
        #expect(try fixture.record().fingerprint == detail.fingerprint)
    }

    @Test(
        "a list record and the detail record of one state are the same where they speak of the same columns",
        arguments: Catalog.entities.map(\.entity.name))
    func listAndDetail(entity: String) throws {
        let list = try Fixture(entity: entity, variant: "list").record()
        let detail = try Fixture(entity: entity, variant: "detail").record()
        #expect(list.record.id == detail.record.id)
        #expect(list.fingerprint(sharedWith: detail) == detail.fingerprint(sharedWith: list))
    }

    /// Not so for customers (the detail says no e-mail address), price lists (no modification time) and payments (only
    /// the list says the numbers of their invoices).
    @Test(
        "where a detail record says all that its list record says, their summaries are the same",
        arguments: ["products", "vendors", "invoices", "bills", "credit_notes", "sales_orders"])
    func summaries(entity: String) throws {
        let list = try Fixture(entity: entity, variant: "list").record()
        let detail = try Fixture(entity: entity, variant: "detail").record()
        #expect(list.fingerprint.summary == detail.fingerprint.summary)
    }

    @Test("the order of keys and white space change nothing", arguments: Fixture.all)
    func keyOrder(fixture: Fixture) throws {
        let mapped = try fixture.record()
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<5 {
            let shuffled = try mapped.record.raw.read { try JSONTree($0) }.shuffled(using: &generator)
            let again = try Mapped(RawJSON(shuffled.spelling(with: " \n")), as: fixture.entity, shape: fixture.shape)
            #expect(again.fingerprint == mapped.fingerprint)
            #expect(again.record.cells == mapped.record.cells)
        }
    }

    @Test(
        "the spelling of a number changes nothing",
        arguments: ["42", "42.0", "42.000", #""42""#, #""42.00""#, "4.2e1", "420E-1"])
    func numberSpelling(number: String) throws {
        let spellings: [(String, String)] = [
            ("products", #"{"item_id":"1","rate":N,"tax_percentage":N,"locations":[{"location_stock_on_hand":N}]}"#),
            ("customers", #"{"contact_id":"1","payment_terms":N,"custom_fields":[{"api_name":"cf_x","value":42}]}"#),
            ("invoices", #"{"invoice_id":"1","total":N,"line_items":[{"line_item_id":"2","quantity":N,"rate":N}]}"#),
        ]
        for (entity, json) in spellings {
            let plain = try Mapped(json.replacing("N", with: "42"), as: entity)
            #expect(try Mapped(json.replacing("N", with: number), as: entity).fingerprint == plain.fingerprint)
        }
    }

    @Test("a time tells the same instant in every zone")
    func zones() throws {
        let times = [
            "2026-02-20T10:05:00+0100", "2026-02-20T09:05:00Z", "2026-02-20T05:35:00-03:30",
            "2026-02-20T09:05:00.000+0000",
        ]
        #expect(Set(try times.map { try Mapped(#"{"item_id":"1","created_time":"\#($0)"}"#).fingerprint }).count == 1)
    }

    @Test("blank, null and missing values are the same")
    func blanks() throws {
        let records = [
            #"{"item_id":"1","name":"Oak"}"#, #"{"item_id":"1","name":"Oak","sku":"","rate":null,"tags":[],"cf_a":""}"#,
        ]
        #expect(Set(try records.map { try Mapped($0).fingerprint }).count == 1)
    }

    @Test("a changed value changes the part that its column belongs to, and no other", arguments: Fixture.all)
    func changes(fixture: Fixture) throws {
        let mapped = try fixture.record()
        let children = mapped.fingerprint.children
        for (position, column) in mapped.mapping.columns.enumerated() {
            guard let cell = mapped.record.cells[position], cell != .null else { continue }
            for other in [FieldValue.null, .text("something else"), .integer(-77)] {
                var cells = mapped.record.cells
                cells[position] = other
                let changed = mapped.mapping.fingerprint(cells, children: children)
                let isDetail = column.presence == .detail || column.presence == .preview
                #expect((changed.detail != mapped.fingerprint.detail) == isDetail, "\(column.column)")
                #expect((changed.summary != mapped.fingerprint.summary) == !isDetail, "\(column.column)")
                #expect(changed.children == children)
            }
        }
    }

    @Test(
        "a changed, added or vanished child changes the children's part alone",
        arguments: [
            #"{"address_id":"2","city":"Cork"}"#, #"{"address_id":"4","city":"Galway"}"#, #"{"address_id":"2"}"#, "",
            #"{"address_id":"2","city":"Galway"},{"address_id":"3"}"#, #"{"address_id":"2","street2":"Galway"}"#,
        ])
    func childChanges(addresses: String) throws {
        func customer(_ addresses: String) throws -> Fingerprint {
            let json =
                #"{"contact_id":"1","billing_address":"","shipping_address":"","addresses":[\#(addresses)],"contact_persons":[]}"#
            return try Mapped(json, as: "customers").fingerprint
        }
        let before = try customer(#"{"address_id":"2","city":"Galway"}"#)
        let after = try customer(addresses)
        #expect(after.children != before.children)
        #expect(after.summary == before.summary)
        #expect(after.detail == before.detail)
    }

    @Test("the order of children changes nothing but the numbers of lines")
    func childOrder() throws {
        let addresses = [#"{"address_id":"2","city":"Cork"}"#, #"{"address_id":"3","city":"Galway"}"#]
        let customers = try [addresses, addresses.reversed()].map { addresses in
            try Mapped(
                #"{"contact_id":"1","billing_address":"","shipping_address":"","addresses":[\#(addresses.joined(separator: ","))]}"#,
                as: "customers")
        }
        #expect(customers[0].fingerprint == customers[1].fingerprint)
        let lines = [#"{"line_item_id":"2"}"#, #"{"line_item_id":"3"}"#]
        let invoices = try [lines, lines.reversed()].map { lines in
            try Mapped(#"{"invoice_id":"1","line_items":[\#(lines.joined(separator: ","))]}"#, as: "invoices")
        }
        #expect(invoices[0].fingerprint.children != invoices[1].fingerprint.children)
    }

    @Test("a fingerprint goes by the names of columns: a field that an entity gains changes it only where it is said")
    func names() throws {
        let products = try #require(Catalog.entity(named: "products"))
        let entity = products.entity
        let wider = EntityMapping(
            Entity(
                name: entity.name, module: entity.module, keyColumn: entity.keyColumn, idKeys: entity.idKeys,
                fields: [.text("shelf")] + entity.fields))
        for (json, isSame) in [(#"{"item_id":"1","sku":"a"}"#, true), (#"{"item_id":"1","shelf":"b"}"#, false)] {
            let fingerprints = try [products, wider].map { mapping in
                let record = try mapping.rows(of: RawJSON(json), shape: .detail, observedAt: 0)
                return mapping.fingerprint(record.cells, children: 0)
            }
            #expect((fingerprints[0] == fingerprints[1]) == isSame)
        }
    }

    @Test("values do not run into each other")
    func boundaries() throws {
        let records = [
            #"{"item_id":"1","sku":"ab"}"#, #"{"item_id":"1","sku":"a","description":"b"}"#,
            #"{"item_id":"1","description":"ab"}"#,
            #"{"item_id":"1","sku":"1","description":"2"}"#, #"{"item_id":"1","sku":"2","description":"1"}"#,
            #"{"item_id":"1","sku":"true"}"#, #"{"item_id":"1","can_be_sold":true}"#,
            #"{"item_id":"1","can_be_sold":false}"#,
            #"{"item_id":"1","rate":1}"#, #"{"item_id":"1","purchase_rate":1}"#, #"{"item_id":"1","rate":-1}"#,
        ]
        #expect(Set(try records.map { try Mapped($0).fingerprint }).count == records.count)
    }

    @Test("a fingerprint is written and read again, and nothing else is read as one")
    func text() throws {
        let fingerprint = Fingerprint(summary: .max, detail: 0, children: 0x0123_4567_89ab_cdef)
        #expect(fingerprint.text == "ffffffffffffffff-0-123456789abcdef")
        #expect(Fingerprint(fingerprint.text) == fingerprint)
        for text in ["", "1-2", "1-2-3-4", "1--3", "x-2-3", "1-2-10000000000000000"] {
            #expect(Fingerprint(text) == nil)
        }
    }
}
