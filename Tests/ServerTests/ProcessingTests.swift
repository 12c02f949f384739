import Database
import Foundation
import Mirror
import NIOHTTP1
import Server
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Processing of deliveries")
struct ProcessingTests {
    @Test("Many stock deliveries cost one call for a hundred items", arguments: Engine.allCases)
    func marks(engine: Engine) async throws {
        // Nothing is due before the test says so, however slowly the machine stores.
        let start = Date(timeIntervalSince1970: 1_772_452_800)
        try await ServerRig.with(engine) {
            $0.simulator.now = { start }
        } _: { rig in
            let ids = (0..<150).map { rig.control.id(.items, at: $0) }
            for id in ids { try rig.control.setStock(id: id, to: 7) }
            let before = rig.control.statistics.calls
            // Ids alone, as a rule with a template of its own may send them; each twice.
            let lines = (ids + ids).map { "{\"item_id\":\"\($0)\"}" }.joined(separator: ",")
            let answer = try await rig.deliver(
                "{\"inventory_adjustment\":{\"line_items\":[\(lines)]}}", to: "stock")
            #expect(answer.status == 202)
            #expect((answer.json["ids"] as? [Any])?.count == 150)
            // Once more, each by itself.
            for id in ids.prefix(10) {
                #expect(try await rig.deliver("{\"item_id\":\"\(id)\"}", to: "stock").status == 202)
            }
            rig.control.advanceClock(by: .seconds(4))
            try await rig.expect("select count(*) from sync_inbox", gives: "0")
            #expect(
                try await rig.value("select count(*) from products where cast(stock_quantity as numeric) = 7") == "150")
            #expect(rig.control.statistics.calls - before == 2)
        }
    }

    @Test("A deletion is confirmed by a call before it is believed", arguments: Engine.allCases)
    func deletions(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let (gone, there) = (rig.control.id(.invoices, at: 1), rig.control.id(.invoices, at: 2))
            let bodies = try [gone, there].map { try rig.body(of: .invoices, $0, key: "invoice") }
            for body in bodies { #expect(try await rig.deliver(body, to: "invoices").status == 202) }
            try await rig.expect("select count(*) from invoices", gives: "2")
            try rig.control.delete(.invoices, id: gone)
            for body in bodies {
                #expect(try await rig.deliver(body, to: "invoices", query: "event=deleted").status == 202)
            }
            try await rig.expect("select zoho_invoice_id from invoices where deleted_at is not null", gives: gone)
            try await rig.expect("select count(*) from sync_inbox", gives: "0")
            #expect(try await rig.value("select count(*) from invoices where deleted_at is not null") == "1")
            // It comes back as Zoho brings it back.
            try rig.control.restore(.invoices, id: gone)
            #expect(try await rig.deliver(bodies[0], to: "invoices").status == 202)
            try await rig.expect("select count(*) from invoices where deleted_at is not null", gives: "0")
        }
    }

    @Test("Deletions are believed without a call where that is configured", arguments: Engine.allCases)
    func trustedDeletions(engine: Engine) async throws {
        try await ServerRig.with(engine, trustsDeletions: true) { rig in
            let body = try rig.body(of: .bills, rig.control.id(.bills, at: 1), key: "bill")
            #expect(try await rig.deliver(body, to: "bills").status == 202)
            try await rig.expect("select count(*) from bills", gives: "1")
            let calls = rig.control.statistics.calls
            #expect(
                try await rig.deliver(body, to: "bills", headers: ["X-Webhook-Event": "deleted"]).status == 202)
            try await rig.expect("select count(*) from bills where deleted_at is not null", gives: "1")
            #expect(rig.control.statistics.calls == calls)
        }
    }

    @Test("A contact goes where its type says; a mark for one is read and sorted", arguments: Engine.allCases)
    func contacts(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let contacts = try rig.control.ids(.contacts).map { id in
                let record = try #require(rig.control.record(.contacts, id: id))
                return (id, String(decoding: record, as: UTF8.self).contains(#""contact_type":"vendor""#))
            }
            let vendor = try #require(contacts.first { $0.1 }?.0)
            // Nothing but the id, to the address of customers.
            #expect(
                try await rig.deliver("{\"contact\":{\"contact_id\":\"\(vendor)\"}}", to: "customers").status == 202)
            try await rig.expect("select zoho_contact_id from vendors", gives: vendor)
            try await rig.expect("select count(*) from sync_inbox", gives: "0")
            #expect(try await rig.value("select count(*) from customers") == "0")
        }
    }

    @Test(
        "What the database refuses is a dead letter, and is applied when the cause is gone", arguments: Engine.allCases)
    func deadLetters(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let id = rig.control.id(.items, at: 1)
            let record = try rig.body(of: .items, id, key: "item")
            let broken = record.replacing(#""rate":"#, with: #""rate":"much","ignored":"#)
            #expect(try await rig.deliver(broken, to: "products").status == 202)
            try await rig.expect("select count(*) from sync_dead_letters where state = 'open'", gives: "1")
            let list = try await rig.get("/api/zoho/dead-letters?entity=products").json
            #expect(list["open"] as? Int == 1)
            let letter = try #require((list["dead_letters"] as? [[String: Any]])?.first)
            #expect((letter["reason"] as? String)?.contains("unit_price") == true)
            let number = try #require(letter["id"] as? Int)
            #expect(try await rig.post("/api/zoho/dead-letters/\(number)/retry").text.contains(#""failed":1"#))
            #expect(try await rig.post("/api/zoho/dead-letters/retry").text.contains(#""failed":1"#))
            // A good delivery of the same record settles it.
            #expect(try await rig.deliver(record, to: "products").status == 202)
            try await rig.expect("select count(*) from sync_dead_letters where state = 'open'", gives: "0")
            #expect(try await rig.post("/api/zoho/dead-letters/\(number)/retry").status == 404)
        }
    }

    @Test("An attempt that fails is counted and made again", arguments: Engine.allCases)
    func postponement(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            try await rig.mirror.database.write { try $0.script("alter table bills rename to elsewhere") }
            let body = try rig.body(of: .bills, rig.control.id(.bills, at: 1), key: "bill")
            #expect(try await rig.deliver(body, to: "bills").status == 202)
            try await rig.expect("select count(*) from sync_inbox where last_error is not null", gives: "1")
            try await rig.mirror.database.write { try $0.script("alter table elsewhere rename to bills") }
            rig.control.advanceClock(by: .seconds(3_600))
            try await rig.expect("select count(*) from bills", gives: "1")
            let metrics = try await rig.get("/metrics").text
            #expect(metrics.contains(#"zohosync_deliveries_postponed_total{entity="bills"} "#))
        }
    }

    @Test("A dead letter is closed with a reason, which is kept", arguments: Engine.allCases)
    func discarding(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            #expect(try await rig.deliver("nonsense", to: "bills").status == 202)
            let id = try #require(try await rig.mirror.deadLetters().first?.id)
            let path = "/api/zoho/dead-letters/\(id)"
            #expect(try await rig.request(.DELETE, path, token: rig.operateToken).status == 422)
            #expect(try await rig.request(.DELETE, path + "?reason=a+test", token: rig.readToken).status == 403)
            #expect(try await rig.request(.DELETE, path + "?reason=a+test", token: rig.operateToken).status == 200)
            #expect(try await rig.request(.DELETE, path + "?reason=a+test", token: rig.operateToken).status == 404)
            #expect(try await rig.value("select close_reason from sync_dead_letters") == "a test")
        }
    }

    @Test("Traffic with duplicates and reordering ends in what Zoho holds", arguments: Engine.allCases)
    func traffic(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            var webhooks = rig.control.webhooks
            webhooks.rules = WebhookRule.all(below: "\(rig.address)/api/zoho/webhooks")
            webhooks.secret = ServerRig.secret
            webhooks.namesEvent = true
            webhooks.duplicates = 0.2
            webhooks.reordering = 0.2
            webhooks.reorderingDelay = .milliseconds(200)
            rig.control.webhooks = webhooks
            // The same few records again and again, within the same seconds.
            let items = (0..<5).map { rig.control.id(.items, at: $0) }
            for round in 0..<40 {
                for id in items {
                    try rig.control.edit(.items, id: id, ["rate": .init(floatLiteral: Double(round % 3))])
                }
                // Deliveries are on their way while the next ones are made.
                try await waitUntil("one delivery a round is acknowledged") {
                    rig.control.acknowledgedDeliveries.count > round
                }
            }
            try await rig.control.settle()
            try await rig.expect("select count(*) from sync_inbox", gives: "0")
            for id in items {
                let record = try #require(rig.control.record(.items, id: id))
                let zoho = try #require(
                    try JSONSerialization.jsonObject(with: Data(record)) as? [String: Any])
                let price = try await rig.value("select unit_price from products where zoho_item_id = '\(id)'")
                #expect(price.flatMap(Double.init) == zoho["rate"] as? Double)
            }
        }
    }
}
