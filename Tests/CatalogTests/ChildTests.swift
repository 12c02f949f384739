import Catalog
import Testing
import ZohoBooks

@Suite("Children")
struct ChildTests {
    private func prices(_ items: String) throws -> [(key: String, cells: [String: FieldValue])] {
        try #require(
            try Mapped(#"{"pricebook_id":"9","pricebook_items":[\#(items)]}"#, as: "pricelists").rows("product_prices"))
    }

    @Test("a price with brackets gives one row a bracket, each with what its item says")
    func brackets() throws {
        let rows = try prices(
            #"""
            {"item_id":"1","name":"Oak","pricebook_rate":"","price_brackets":[
              {"pricebook_item_id":"11","start_quantity":1,"end_quantity":9,"pricebook_rate":40.0},
              {"pricebook_item_id":"12","start_quantity":10,"end_quantity":"","pricebook_rate":36.5}]},
            {"price_brackets":[{"pricebook_item_id":"21","start_quantity":1,"pricebook_rate":3}],"item_id":"2","name":"Pine"}
            """#)
        #expect(rows.map(\.key) == ["11", "12", "21"])
        #expect(rows.map { $0.cells["zoho_item_id"] } == [.text("1"), .text("1"), .text("2")])
        #expect(rows.map { $0.cells["product_name"] } == [.text("Oak"), .text("Oak"), .text("Pine")])
        #expect(rows.map { $0.cells["price"] } == [.decimal("40"), .decimal("36.5"), .decimal("3")])
        #expect(rows.map { $0.cells["end_quantity"] } == [.decimal("9"), nil, nil])
    }

    @Test(
        "a bracket's own value beats its item's, whichever stands first",
        arguments: [
            #"{"pricebook_rate":5,"price_brackets":[{"pricebook_item_id":"1","pricebook_rate":4}]}"#,
            #"{"price_brackets":[{"pricebook_rate":4,"pricebook_item_id":"1"}],"pricebook_rate":5}"#,
        ])
    func innermost(item: String) throws {
        #expect(try prices(item).map { $0.cells["price"] } == [.decimal("4")])
    }

    @Test("brackets without an id of their own are kept all, even where the item has one")
    func bracketsWithoutIDs() throws {
        let rows = try prices(
            #"{"pricebook_item_id":"5","item_id":"1","price_brackets":[{"start_quantity":1},{"start_quantity":10}]}"#)
        #expect(rows.map(\.key) == ["9:1", "9:2"])
        #expect(rows.map { $0.cells["start_quantity"] } == [.decimal("1"), .decimal("10")])
    }

    @Test("prices without brackets are one row an item", arguments: ["[]", #""""#, "null"])
    func unitPrices(brackets: String) throws {
        let rows = try prices(
            #"{"pricebook_item_id":"5","item_id":"1","pricebook_rate":"7.0","price_brackets":\#(brackets)}"#)
        #expect(rows.map(\.key) == ["5"])
        #expect(rows.first?.cells == ["zoho_item_id": .text("1"), "price": .decimal("7")])
    }

    @Test("a line without an id goes by its place, and the lines keep their order")
    func lines() throws {
        let rows = try Mapped(
            #"{"invoice_id":"9","line_items":[{"line_item_id":"3","rate":1},{"line_item_id":"","name":"free text"},{"line_item_id":2}]}"#,
            as: "invoices"
        ).rows("invoice_line_items")
        #expect(rows?.map(\.key) == ["3", "9:2", "2"])
        #expect(rows?.map { $0.cells["line_order"] } == [.integer(1), .integer(2), .integer(3)])
    }

    @Test("an address that is the billing and an additional one is stored once, as billing")
    func duplicateAddresses() throws {
        let rows = try Mapped(
            #"""
            {"contact_id":"1","addresses":[{"address_id":"3","city":"Cork"},{"address_id":"2","city":"Galway"}],
             "shipping_address":{"address_id":"2","city":"Galway"},"billing_address":{"address_id":"2","city":"Galway"}}
            """#, as: "customers"
        ).rows("customer_addresses")
        #expect(rows?.map(\.key) == ["2", "3"])
        #expect(rows?.map { $0.cells["address_type"] } == [.text("billing"), .text("additional")])
    }

    @Test("an address whose every text is blank is a row, for Zoho gives it an id; one without an id is none")
    func blankAddresses() throws {
        let rows = try Mapped(
            #"{"contact_id":"1","billing_address":{"address_id":"2","city":""},"shipping_address":{"city":""},"addresses":[]}"#,
            as: "vendors"
        ).rows("vendor_addresses")
        #expect(rows?.map(\.key) == ["2"])
        #expect(rows?.first?.cells == ["address_type": .text("billing")])
    }

    @Test("a free text line refers to no item")
    func freeText() throws {
        let rows = try Mapped(
            #"{"bill_id":"1","line_items":[{"line_item_id":"2","item_id":"","name":"Skip hire"}]}"#, as: "bills"
        )
        .rows("bill_line_items")
        #expect(rows?.first?.cells == ["product_name": .text("Skip hire"), "line_order": .integer(1)])
    }

    @Test("a payment without invoices is an advance without child rows")
    func advance() throws {
        let payment = try Mapped(
            #"{"payment_id":"1","amount":5,"unused_amount":5,"invoices":[]}"#, as: "customer_payments")
        #expect(payment.rows("customer_payment_invoices")?.isEmpty == true)
        #expect(payment["unused_amount"] == payment["amount"])
    }
}
