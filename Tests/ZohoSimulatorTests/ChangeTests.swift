import Foundation
import Testing

@testable import ZohoSimulator

@Suite struct ChangeTests {
    private let byTime = "filter_by=Status.All&sort_column=last_modified_time&sort_order=D&per_page=10"

    @Test func anEditedRowMovesToTheFirstPage() async throws {
        try await withClient { client, control in
            let id = control.id(.items, at: 600)
            let before = try await client.get("/items", byTime).rows("items")
            try control.edit(.items, id: id, ["rate": 12.5])
            let after = try await client.get("/items", byTime).rows("items")
            #expect(after.first?["item_id"] as? String == id)
            #expect(after.first?["rate"] as? Double == 12.5)
            #expect(
                after.dropFirst().compactMap { $0["item_id"] as? String }
                    == before.dropLast().compactMap { $0["item_id"] as? String })
            #expect(try await client.get("/items/" + id).object("item")["rate"] as? Double == 12.5)
        }
    }

    @Test func aDeletedRowVanishesAndLaterRowsShift() async throws {
        try await withClient { client, control in
            let first = try await client.get("/items", "filter_by=Status.All&page=1").rows("items")
            let second = try await client.get("/items", "filter_by=Status.All&page=2").rows("items")
            try #require(first.count == 200)
            let id = try #require(first[3]["item_id"] as? String)
            try control.delete(.items, id: id)
            let shifted = try await client.get("/items", "filter_by=Status.All&page=1").rows("items")
            #expect(shifted.count == 200)
            #expect(shifted.last?["item_id"] as? String == second.first?["item_id"] as? String)
            #expect(try await client.get("/items/" + id).status == 404)
            try control.restore(.items, id: id)
            let restored = try await client.get("/items", "filter_by=Status.All&page=1")
            #expect(restored.rows("items").dropFirst(3).first?["item_id"] as? String == id)
        }
    }

    @Test func stockMovesWithoutTheTimeOfChange() async throws {
        try await withClient { client, control in
            let id = control.id(.items, at: 0)
            let before = try await client.get("/items/" + id).object("item")
            try control.setStock(id: id, to: 7.5)
            let after = try await client.get("/items/" + id).object("item")
            #expect(after["stock_on_hand"] as? Double == 7.5)
            #expect(after["available_stock"] as? Double == 7.5)
            #expect(after["last_modified_time"] as? String == before["last_modified_time"] as? String)
        }
    }

    @Test func mergedContactsAreGoneAndTheirInvoicesAreTheTargets() async throws {
        try await withClient { client, control in
            let invoice = "/invoices/" + control.id(.invoices, at: 5)
            let source = try #require(try await client.get(invoice).object("invoice")["customer_id"] as? String)
            let target = control.id(.contacts, at: 1)
            try control.merge(contacts: [source], into: target)
            #expect(try await client.get("/contacts/" + source).status == 404)
            #expect(try await client.get(invoice).object("invoice")["customer_id"] as? String == target)
        }
    }

    @Test func aRenamedContactIsRenamedOnItsInvoices() async throws {
        try await withClient { client, control in
            let invoice = "/invoices/" + control.id(.invoices, at: 5)
            let customer = try #require(try await client.get(invoice).object("invoice")["customer_id"] as? String)
            try control.edit(.contacts, id: customer, ["contact_name": "Nieuwe naam \"BV\""])
            #expect(try await client.get(invoice).object("invoice")["customer_name"] as? String == "Nieuwe naam \"BV\"")
            let contact = try await client.get("/contacts/" + customer).object("contact")
            #expect(contact["customer_name"] as? String == "Nieuwe naam \"BV\"")
        }
    }

    @Test func anAnswerIsWhatTheControlSaysTheRecordIs() async throws {
        try await withClient { client, control in
            try control.edit(.contacts, at: 3, ["notes": "x", "mobile": .missing])
            for module in SimulatorModule.allCases {
                for id in control.ids(module).prefix(4) {
                    let answer = try await client.get("/\(module.rawValue)/\(id)")
                    let record = try #require(control.record(module, id: id))
                    let truth = try JSONSerialization.jsonObject(with: Data(record)) as? NSDictionary
                    #expect(answer.json[module.detailKey] as? NSDictionary == truth)
                }
            }
        }
    }

    @Test func aPersonCanChangeTheOrganisationByHTTP() async throws {
        try await withClient { client, control in
            let id = control.id(.items, at: 2)
            let edited = try await client.send(
                .post, "/_simulator/edit",
                body: #"{"module":"items","index":2,"changes":{"name":"Nieuw","rate":9.95,"tags":[{"a":"}"}]}}"#)
            #expect(edited.object("").isEmpty && edited.json["id"] as? String == id)
            let item = try await client.get("/items/" + id).object("item")
            #expect(item["name"] as? String == "Nieuw")
            #expect(item["item_name"] as? String == "Nieuw")
            #expect(item["rate"] as? Double == 9.95)
            let created = try await client.send(
                .post, "/_simulator/create", body: #"{"module":"contacts","fields":{"contact_name":"Vers"}}"#)
            let contact = try #require(created.json["id"] as? String)
            #expect(try await client.get("/contacts/" + contact).object("contact")["contact_name"] as? String == "Vers")
            _ = try await client.send(.post, "/_simulator/delete", body: #"{"module":"items","id":"\#(id)"}"#)
            #expect(try await client.get("/items/" + id).status == 404)
            #expect(try await client.send(.post, "/_simulator/edit", body: "nonsense").status == 400)
            let stats = try await client.send(.get, "/_simulator/stats").object("stats")
            #expect((stats["paths"] as? [String: Int])?["/items/{id}"] == 2)
            #expect((stats["records"] as? [String: Int])?["items"] == 1_311)
        }
    }
}
