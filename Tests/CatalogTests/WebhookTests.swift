import Catalog
import Testing
import ZohoBooks

@Suite("Webhook bodies")
struct WebhookTests {
    private func read(_ name: String, _ body: String) throws -> [Delivery] {
        try #require(Catalog.webhook(named: name)).read(RawJSON(body))
    }

    @Test("every place of the API is there")
    func places() {
        #expect(
            Set(Catalog.webhooks.map(\.name)) == [
                "products", "customers", "vendors", "invoices", "bills", "credit-notes", "orders", "payments", "stock",
                "prices",
            ])
    }

    @Test("a whole record is cut out of its root key, whatever stands beside it")
    func record() throws {
        let delivery = try #require(
            try read(
                "invoices",
                #"{"organization_id":600,"invoice":{"invoice_id":"346","last_modified_time":"2026-02-20T10:06:12+0000"}}"#
            ).first)
        #expect(delivery.mapping.entity.name == "invoices")
        #expect(delivery.id == "346")
        #expect(delivery.record?.description.hasPrefix(#"{"invoice_id":"346""#) == true)
    }

    @Test("a contact goes where its type says, by whichever of the two places it comes")
    func contacts() throws {
        let body = #"{"contact":{"contact_id":"7","contact_type":"vendor","created_time":"2026-02-20T10:06:12+0000"}}"#
        #expect(try read("customers", body).map(\.mapping.entity.name) == ["vendors"])
        #expect(try read("vendors", body).map(\.mapping.entity.name) == ["vendors"])
    }

    @Test("a mark of the byte order in front of a body is none of its JSON", arguments: ["", " "])
    func byteOrderMark(space: String) throws {
        let json = #"{"invoice":{"invoice_id":"346"}}"#
        let body = WebhookBody([0xEF, 0xBB, 0xBF] + Array((space + json).utf8), contentType: "application/json")
        #expect(body.json.description == json)
        #expect(body.bytes.count == json.utf8.count + space.utf8.count + 3, "what is signed stays as it came")
        let form = WebhookBody(
            [0xEF, 0xBB, 0xBF] + Array("JSONString={}".utf8), contentType: "application/x-www-form-urlencoded")
        #expect(form.json.description == "{}")
        #expect(WebhookBody([0xEF, 0xBB, 0xBF], contentType: nil).isEmpty)
    }

    @Test("a payment comes under either key", arguments: ["payment", "customer_payment"])
    func payments(key: String) throws {
        let body = #"{"\#(key)":{"payment_id":"7","created_time":"2026-02-20T10:06:12+0000"}}"#
        #expect(try read("payments", body).first?.record != nil)
    }

    @Test(
        "a body that names a record without being all of it asks for it to be read",
        arguments: [
            #"{"item":{"item_id":"5","rate":3}}"#, #"{"item_id":5}"#, #"{"item":{"item_id":"5","created_time":""}}"#,
        ])
    func partial(body: String) throws {
        let delivery = try #require(try read("products", body).first)
        #expect(delivery.id == "5")
        #expect(delivery.record == nil)
    }

    @Test("stock and price deliveries never carry a record, also not as a document with lines")
    func marks() throws {
        let whole = #"{"item":{"item_id":"5","created_time":"2026-02-20T10:06:12+0000"}}"#
        #expect(try read("stock", whole).map(\.record) == [nil])
        #expect(try read("prices", #"{"pricebook":{"pricebook_id":"9"}}"#).map(\.mapping.entity.name) == ["pricelists"])
        let adjustment =
            #"{"inventory_adjustment":{"id":"1","line_items":[{"item_id":"5"},{"item_id":"6"},{"item_id":"5"},{}]}}"#
        #expect(try read("stock", adjustment).map(\.id) == ["5", "6"])
    }

    @Test(
        "what cannot be told says why",
        arguments: [
            ("nonsense", "not JSON"), (#"{"item":{"#, "not JSON"), (#"{"invoice":{}}"#, "no item"),
            (#"{"item":{"name":"x"}}"#, "item_id"), (#"{"item":{"item_id":"../5"}}"#, "item_id"),
            (#"{"item":{"item_id":"5\u0000"}}"#, "item_id"), ("[]", "not JSON"),
        ])
    func faults(body: String, reason: String) throws {
        let fault = #expect(throws: DeliveryFault.self) { try read("products", body) }
        #expect(fault?.description.contains(reason) == true)
    }

    @Test("a stock document of a megabyte is read at once")
    func manyLines() throws {
        let lines = (0..<30_000).map { "{\"item_id\":\"\($0 % 20_000)\"}" }.joined(separator: ",")
        let time = ContinuousClock().measure {
            let deliveries = try? read("stock", "{\"inventory_adjustment\":{\"line_items\":[\(lines)]}}")
            #expect(deliveries?.count == 20_000)
        }
        // Comparing each with each takes a hundred times as long.
        #expect(time < .seconds(10))
    }
}
