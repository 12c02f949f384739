import Catalog
import Testing
import ZohoBooks

@Suite("Faults")
struct FaultTests {
    @Test(
        "an optional value that cannot be read is a named fault, and the row is written without it",
        arguments: [
            ("products", #""item_id":"1","reorder_level":"many""#, #"reorder_level: "many" is not a decimal number"#),
            ("products", #""item_id":"1","can_be_sold":"perhaps""#, #"can_be_sold: "perhaps" is not true or false"#),
            ("products", #""item_id":"1","brand":{"name":"x"}"#, #"brand: {"name":"x"} is not text"#),
            ("products", #""item_id":"1","brand":"\ud800""#, #"brand: "\ud800" is not text"#),
            ("products", #""item_id":"1","brand":"a\u0000b""#, #"brand: "a\u0000b" is not text"#),
            ("products", #""item_id":"1","locations":7"#, "locations: 7 is not an object or a list"),
            (
                "products", #""item_id":"1","locations":["\ud800"]"#,
                #"locations: ["\ud800"] is not an object or a list"#
            ),
            (
                "products", #""item_id":"1","package_details":{"x":1e999}"#,
                #"package_details: {"x":1e999} is not an object or a list"#
            ),
            (
                "invoices", #""invoice_id":"1","due_date":"27 Dec 2016""#,
                #"due_date: "27 Dec 2016" is not a date as YYYY-MM-DD"#
            ),
            (
                "invoices", #""invoice_id":"1","payment_terms":"Net 30""#,
                #"payment_terms: "Net 30" is not a whole number"#
            ),
            (
                "customer_payments",
                #""payment_id":"1","invoices":[{"invoice_payment_id":"2","total":"x"}]"#,
                #"customer_payment_invoices.invoice_total: "x" is not a decimal number"#
            ),
        ])
    func optional(entity: String, members: String, fault: String) throws {
        let mapped = try Mapped("{\(members)}", as: entity)
        #expect(mapped.record.id == "1")
        #expect(mapped.unreadable.map(\.description) == [fault])
    }

    @Test(
        "a number of more digits than a column is to hold is called that, and not no number",
        arguments: [
            String(repeating: "9", count: 301), "\"\(String(repeating: "9", count: 301))\"", "1e999",
            "0.\(String(repeating: "3", count: 300))",
        ])
    func manyDigits(value: String) throws {
        let fault = try #require(try Mapped(#"{"item_id":"1","reorder_level":\#(value)}"#).record.faults.first)
        #expect(fault.description.hasPrefix("reorder_level: \(value.prefix(60))"))
        #expect(fault.description.hasSuffix("has too many digits, more than 300"))
        #expect(
            try Mapped(#"{"item_id":"1","reorder_level":\#(String(repeating: "9", count: 60))}"#).record.faults.isEmpty)
    }

    @Test("the value in a fault is cut after its beginning")
    func longValues() throws {
        let fault = try #require(
            try Mapped(#"{"item_id":"1","reorder_level":"\#(String(repeating: "x", count: 5_000))"}"#).record.faults
                .first)
        #expect(fault.description.hasPrefix(#"reorder_level: "xxxx"#))
        #expect(fault.description.count < 120)
    }

    @Test(
        "a record whose money, time, state or children cannot be read is refused, and the error names the field",
        arguments: [
            ("products", #""item_id":"1","rate":"42,50""#, #"unit_price: "42,50" is not a decimal number"#),
            ("products", #""item_id":"1","stock_on_hand":{}"#, "stock_quantity: {} is not a decimal number"),
            ("invoices", #""invoice_id":"1","total":true"#, "total: true is not a decimal number"),
            (
                "products", #""item_id":"1","last_modified_time":"yesterday""#,
                #"zoho_modified_at: "yesterday" is not a time with its zone"#
            ),
            (
                "products", #""item_id":"1","last_modified_time":"2026-02-30T00:00:00Z""#,
                #"zoho_modified_at: "2026-02-30T00:00:00Z" is not"#
            ),
            (
                "products", #""item_id":"1","last_modified_time":1772466051"#,
                "zoho_modified_at: 1772466051 is not a time with its zone"
            ),
            (
                "products", #""item_id":"1","created_time":"2026-01-01""#,
                #"zoho_created_at: "2026-01-01" is not a time"#
            ),
            ("products", #""item_id":"1","status":[]"#, "status: [] is not text"),
            (
                "invoices", #""invoice_id":"1","line_items":[{"line_item_id":"2","quantity":"a few"}]"#,
                #"invoice_line_items.quantity: "a few" is not a decimal number"#
            ),
            (
                "invoices", #""invoice_id":"1","line_items":"none""#,
                #"invoice_line_items: "none" is not a list of objects"#
            ),
            (
                "invoices", #""invoice_id":"1","line_items":["a"]"#,
                #"invoice_line_items: ["a"] is not a list of objects"#
            ),
            (
                "customers", #""contact_id":"1","billing_address":[],"shipping_address":{},"addresses":[]"#,
                "customer_addresses: [] is not an object"
            ),
            (
                "pricelists", #""pricebook_id":"1","pricebook_items":[{"price_brackets":7}]"#,
                "product_prices: [{\"price_brackets\":7}] is not a list of objects"
            ),
        ])
    func strict(entity: String, members: String, reason: String) throws {
        let error = try #require(mappingError("{\(members)}", as: entity))
        guard case .unreadable = error else {
            Issue.record("\(error)")
            return
        }
        #expect(error.description.hasPrefix(reason))
    }

    @Test(
        "a record without a usable id is refused, and the error names the key",
        arguments: [
            "{}", #"{"name":"Oak"}"#, #"{"item_id":""}"#, #"{"item_id":null}"#, #"{"item_id":{}}"#,
            #"{"item_id":["1"]}"#,
        ])
    func missingID(json: String) throws {
        let error = mappingError(json)
        #expect(error == .missingID(keys: ["item_id"]))
        #expect(error?.description == "the record has no item_id")
    }

    @Test(
        "what is not one JSON object is refused as such",
        arguments: [
            "", " ", "[]", "null", "7", #""text""#, #"[{"item_id":"1"}]"#, #"{"item_id":"1""#, #"{"item_id":"1"#,
            #"{"item_id":"#,
            #"{"item_id""#, #"{"item_id":"1"}}"#, #"{"item_id":"1"} {"#, #"{"item_id":"1",}"#, #"{"item_id":"1\"#,
            "<html></html>",
            #"{'item_id':'1'}"#, #"{"item_id":01}"#, #"{"item_id":1.}"#, #"{"item_id":tru}"#,
            #"{"item_id":"1","a":"# + String(repeating: "[", count: 200) + String(repeating: "]", count: 200) + "}",
        ])
    func notAnObject(json: String) throws {
        let error = try #require(mappingError(json))
        guard case .notAnObject = error else {
            Issue.record("\(error)")
            return
        }
        #expect(error.description.hasPrefix("the record is not a JSON object: JSON "))
    }

    @Test("every cut of every fixture's records is refused", arguments: Fixture.all.filter { $0.variant == "detail" })
    func cutOff(fixture: Fixture) throws {
        let mapped = try fixture.record()
        let bytes = mapped.record.raw.bytes
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: MappingError.self) {
                try Mapped(RawJSON(bytes.prefix(count)), as: fixture.entity, shape: .detail)
            }
        }
    }

    @Test("the id of a record is found however broken the rest of it is")
    func brokenRecordsID() throws {
        let items = try #require(Catalog.entity(named: "products"))
        #expect(items.id(of: RawJSON(#"{"rate":"x","item_id":7}"#)) == "7")
        #expect(items.id(of: RawJSON(#"{"rate":"x"}"#)) == nil)
        #expect(items.id(of: RawJSON(#"{"item_id":"7""#)) == nil)
    }
}
