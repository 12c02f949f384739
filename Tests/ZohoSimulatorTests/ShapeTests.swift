import Foundation
import Testing

@testable import ZohoSimulator

@Suite struct ShapeTests {
    @Test func everyGeneratedRecordIsValidJSON() throws {
        let control = SimulatorControl(SimulatorConfiguration())
        let books = control.snapshot
        for module in SimulatorModule.allCases {
            for index in 0..<min(books.end(module), 600) {
                for detail in [false, true] {
                    let record = books.record(module, index, detail: detail)
                    let object = try JSONSerialization.jsonObject(with: Data(record)) as? [String: Any]
                    let names = JSONObject.members(of: record).map(\.key)
                    #expect(object?.count == names.count, "\(module) \(index) has a key twice")
                }
            }
        }
    }

    @Test func itemsHaveTheirFieldsWhereZohoHasThem() async throws {
        try await withClient { client, control in
            let row = try #require(try await client.get("/items").rows("items").first)
            let item = try await client.get("/items/" + control.id(.items, at: 0)).object("item")
            #expect(row.count >= 55)
            #expect(row["locations"] == nil)
            #expect((item["locations"] as? [[String: Any]])?.count == 2)
            #expect(row["cf_grade"] as? String == "A")
            #expect((item["custom_field_hash"] as? [String: Any])?["cf_grade"] as? String == "A")
            for key in ["name", "sku", "rate", "last_modified_time", "image_document_id"] {
                #expect("\(row[key] ?? "")" == "\(item[key] ?? "-")")
            }
            let image = try await client.get("/items/\(control.id(.items, at: 0))/image")
            #expect(image.headers["content-type"] == "image/png")
            #expect(image.body.starts(with: [0x89, 0x50, 0x4E, 0x47]))
            #expect(try await client.get("/items/\(control.id(.items, at: 3))/image").status == 404)
        }
    }

    @Test func contactsHaveAddressesAndPersonsOnlyInDetails() async throws {
        try await withClient { client, control in
            let row = try #require(try await client.get("/contacts").rows("contacts").first)
            #expect(row["billing_address"] == nil && row["contact_persons"] == nil && row["pricebook_id"] == nil)
            let id = control.id(.contacts, at: 4)
            let contact = try await client.get("/contacts/" + id).object("contact")
            let billing = contact["billing_address"] as? [String: Any] ?? [:]
            let shipping = contact["shipping_address"] as? [String: Any] ?? [:]
            #expect(billing["address_id"] as? String != shipping["address_id"] as? String)
            #expect(billing["zip"] != nil)
            let addresses = try await client.get("/contacts/\(id)/address").rows("addresses")
            #expect(addresses.count == (contact["addresses"] as? [Any])?.count)
            let persons = try await client.get("/contacts/\(id)/contactpersons").rows("contact_persons")
            #expect(persons.count == (contact["contact_persons"] as? [Any])?.count)
            let vendor = try await client.get("/contacts/" + control.id(.contacts, at: 12)).object("contact")
            #expect(vendor["contact_type"] as? String == "vendor")
            #expect(vendor["is_taxable"] == nil && contact["is_taxable"] != nil)
        }
    }

    @Test func listsAndDetailsDifferWhereZohoDoes() async throws {
        try await withClient { client, control in
            let row = try #require(try await client.get("/invoices").rows("invoices").last)
            let invoice = try await client.get("/invoices/" + control.id(.invoices, at: 0)).object("invoice")
            #expect(row["invoice_id"] as? String == invoice["invoice_id"] as? String)
            #expect(row["documents"] as? String == "")
            #expect(invoice["documents"] is [Any])
            #expect((row["billing_address"] as? [String: Any])?["zipcode"] != nil)
            #expect((invoice["billing_address"] as? [String: Any])?["zip"] != nil)
            #expect(row["line_items"] == nil && row["sub_total"] == nil)
            let payment = try await client.get("/customerpayments/" + control.id(.customerpayments, at: 0))
            #expect(payment.object("payment")["updated_time"] != nil)
            #expect(payment.object("payment")["last_modified_time"] == nil)
            let pricebook = try await client.get("/pricebooks/" + control.id(.pricebooks, at: 2)).object("pricebook")
            #expect(pricebook["last_modified_time"] == nil)
            #expect(pricebook["currency_id"] as? String == "")
            let pricebooks = try await client.get("/pricebooks").rows("pricebooks")
            #expect(pricebooks.allSatisfy { $0["last_modified_time"] != nil && $0["pricebook_items"] == nil })
        }
    }

    @Test func documentsAddUpAndReferToWhatExists() throws {
        let control = SimulatorControl(SimulatorConfiguration())
        let items = Set(control.ids(.items))
        let contacts = Set(control.ids(.contacts))
        let invoices = Set(control.ids(.invoices))
        func object(_ module: SimulatorModule, _ id: String) throws -> [String: Any] {
            let record = try #require(control.record(module, id: id))
            return try JSONSerialization.jsonObject(with: Data(record)) as? [String: Any] ?? [:]
        }
        func cents(_ value: Any?) -> Int { Int(((value as? Double ?? .nan) * 100).rounded()) }
        for module in SimulatorModule.allCases where module.hasTotals {
            for id in control.ids(module) {
                let document = try object(module, id)
                let lines = document["line_items"] as? [[String: Any]] ?? []
                let taxes = document["taxes"] as? [[String: Any]] ?? []
                #expect(!lines.isEmpty)
                #expect(cents(document["sub_total"]) == lines.map { cents($0["item_total"]) }.reduce(0, +))
                #expect(cents(document["tax_total"]) == taxes.map { cents($0["tax_amount"]) }.reduce(0, +))
                #expect(
                    cents(document["total"]) == cents(document["sub_total"]) + cents(document["tax_total"])
                        + cents(document["shipping_charge"]) + cents(document["adjustment"]))
                #expect(contacts.contains((document["customer_id"] ?? document["vendor_id"]) as? String ?? ""))
                #expect(lines.compactMap { $0["item_id"] as? String }.allSatisfy { $0.isEmpty || items.contains($0) })
                if module == .invoices {
                    #expect(
                        cents(document["balance"]) == cents(document["total"]) - cents(document["payment_made"]))
                }
            }
        }
        for id in control.ids(.customerpayments) {
            let payment = try object(.customerpayments, id)
            let applied = payment["invoices"] as? [[String: Any]] ?? []
            #expect(applied.allSatisfy { invoices.contains($0["invoice_id"] as? String ?? "") })
            #expect(
                cents(payment["amount"]) == cents(payment["unused_amount"])
                    + applied.map { cents($0["amount_applied"]) }.reduce(0, +))
        }
        for id in control.ids(.pricebooks) {
            let prices = try object(.pricebooks, id)["pricebook_items"] as? [[String: Any]] ?? []
            let ids = prices.compactMap { $0["item_id"] as? String }
            #expect(Set(ids).count == ids.count)
            #expect(ids.allSatisfy { items.contains($0) })
        }
    }

    @Test func itemDetailsTakeAsManyIdsAsConfigured() async throws {
        var configuration = SimulatorConfiguration()
        configuration.itemDetailsLimit = 100
        try await withClient(configuration) { client, control in
            let ids = control.ids(.items)
            let some = ids.prefix(99) + ["3460110000009999999"]
            let found = try await client.get("/itemdetails", "item_ids=" + some.joined(separator: ","))
            #expect(found.rows("items").count == 99)
            #expect(found.rows("items").first?["locations"] != nil)
            let tooMany = try await client.get("/itemdetails", "item_ids=" + ids.prefix(101).joined(separator: ","))
            #expect(tooMany.status == 400)
        }
    }

    @Test func settingsAreServed() async throws {
        try await withClient { client, _ in
            #expect(try await client.get("/organizations/60099900001").object("organization")["name"] != nil)
            #expect(try await client.get("/settings/currencies").rows("currencies").count == 3)
            let taxes = try await client.get("/settings/taxes")
            #expect(taxes.rows("taxes").count == 3 && taxes.hasMore == false)
            #expect(
                try await client.get("/settings/taxes/3460000000007001").object("tax")["tax_percentage"] as? Int == 21)
            #expect(try await client.get("/locations").rows("locations").count == 2)
            #expect(!(try await client.get("/brands").rows("brands").isEmpty))
        }
    }
}
