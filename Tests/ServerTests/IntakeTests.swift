import Database
import Foundation
import Mirror
import NIOHTTP1
import Server
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Webhook intake")
struct IntakeTests {
    @Test(
        "Every way in which Zoho can deliver ends in the same row", arguments: Engine.allCases,
        [
            (SimulatorConfiguration.Webhooks.Body.default, WebhookSignature.Encoding.hex, false),
            (.form, .base64, false), (.raw, .hex, false), (.default, .base64, true),
        ])
    func delivery(
        engine: Engine, way: (SimulatorConfiguration.Webhooks.Body, WebhookSignature.Encoding, Bool)
    ) async throws {
        try await ServerRig.with(engine) { rig in
            var webhooks = rig.control.webhooks
            webhooks.rules = WebhookRule.all(below: "\(rig.address)/api/zoho/webhooks")
            webhooks.secret = ServerRig.secret
            (webhooks.body, webhooks.signature, webhooks.gzip) = way
            webhooks.namesEvent = true
            rig.control.webhooks = webhooks
            let item = rig.control.id(.items, at: 3)
            try rig.control.edit(.items, id: item, ["rate": 12.34])
            try await rig.expect("select unit_price from products where zoho_item_id = '\(item)'", gives: "12.34")
            let invoice = rig.control.id(.invoices, at: 2)
            try rig.control.edit(.invoices, id: invoice, ["reference_number": "Ümläut & Co"])
            try await rig.expect(
                "select reference_number from invoices where zoho_invoice_id = '\(invoice)'", gives: "Ümläut & Co")
            #expect(try await rig.value("select count(*) from invoice_line_items") != "0")
            try await rig.expect("select count(*) from sync_inbox", gives: "0")
            #expect(rig.control.webhookStatistics.failed == 0)
            #expect(try await rig.mirror.deadLetterCount() == 0)
        }
    }

    @Test("The older address takes the same", arguments: Engine.allCases)
    func olderAddress(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let id = rig.control.id(.items, at: 1)
            let answer = try await rig.deliver(
                try rig.body(of: .items, id, key: "item"), to: "products", base: "tds")
            #expect(answer.status == 202)
            #expect(answer.json["id"] is NSNumber)
            try await rig.expect("select zoho_item_id from products", gives: id)
            let delivery = try await rig.value("select delivery_id from sync_changes")
            #expect(delivery == "\(answer.json["id"] ?? "")")
        }
    }

    @Test("A rule may deliver by PUT", arguments: Engine.allCases)
    func put(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let id = rig.control.id(.items, at: 1)
            let body = Array(try rig.body(of: .items, id, key: "item").utf8)
            let signature = WebhookSignature.sign(pairs: [], body: body, secret: ServerRig.secret, .base64)
            for base in ["zoho", "tds"] {
                let answer = try await rig.request(
                    .PUT, "/api/\(base)/webhooks/products", headers: ["X-Zoho-Webhook-Signature": signature],
                    body: body)
                #expect(answer.status == 202)
            }
            try await rig.expect("select zoho_item_id from products", gives: id)
        }
    }

    @Test("A form that cannot be read is kept as it came, with what it came for", arguments: Engine.allCases)
    func unreadableForm(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.server.webhookSecret = nil
        } _: { rig in
            let body = "name=A+%5Bnew%5D+chair&colour=%FF"
            let answer = try await rig.request(
                .POST, "/api/zoho/webhooks/products?event=deleted",
                headers: ["Content-Type": "application/x-www-form-urlencoded"], body: Array(body.utf8))
            #expect(answer.status == 202)
            let list = try await rig.get("/api/zoho/dead-letters").json
            let letter = try #require((list["dead_letters"] as? [[String: Any]])?.first)
            #expect(letter["record"] as? String == body)
            #expect(letter["webhook"] as? String == "products")
            #expect(letter["event"] as? String == "deleted")
        }
    }

    @Test("What is not signed as it must be is refused, counted and not stored", arguments: Engine.allCases)
    func unsigned(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let body = Array(#"{"item":{"item_id":"1"}}"#.utf8)
            for headers in [
                HTTPHeaders(), ["X-Zoho-Webhook-Signature": "00"], ["X-Webhook-Key": ""],
                ["X-Zoho-Webhook-Signature": String(repeating: "a", count: 64)],
            ] as [HTTPHeaders] {
                let answer = try await rig.request(
                    .POST, "/api/zoho/webhooks/products", headers: headers, body: body)
                #expect(answer.status == 401)
                #expect(answer.headers.first(name: "Content-Type") == "application/problem+json")
            }
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
            #expect(try await rig.get("/metrics").text.contains(#"webhook="products",result="refused"} 4"#))
            #expect(try await rig.get("/api/zoho/health").text.contains("ZOHOSYNC_WEBHOOK_SECRET"))
        }
    }

    @Test("A key in a header stands for the signature", arguments: Engine.allCases)
    func key(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.server.webhookSecret = nil
            $0.server.webhookKey = Secret("open sesame")
        } _: { rig in
            let body = Array(try rig.body(of: .items, rig.control.id(.items, at: 1), key: "item").utf8)
            let path = "/api/zoho/webhooks/products"
            #expect(try await rig.request(.POST, path, body: body).status == 401)
            #expect(try await rig.request(.POST, path, headers: ["X-Webhook-Key": "sesame"], body: body).status == 401)
            let taken = try await rig.request(.POST, path, headers: ["X-Webhook-Key": "open sesame"], body: body)
            #expect(taken.status == 202)
        }
    }

    @Test(
        "What cannot be read is acknowledged and kept as a dead letter with its bytes", arguments: Engine.allCases,
        ["nonsense", #"{"invoice":{}}"#, #"{"item":{"name":"no id"}}"#, "{\"item\":{\"item_id\":\"1\u{0}\"}}"])
    func unreadable(engine: Engine, body: String) async throws {
        try await ServerRig.with(engine) { rig in
            let answer = try await rig.deliver(body, to: "products", headers: ["X-Request-Id": "abc-1"])
            #expect(answer.status == 202)
            #expect(answer.headers.first(name: "X-Request-Id") == "abc-1")
            let letters = try await rig.mirror.deadLetters()
            #expect(letters.map(\.record.description) == [body])
            #expect(letters.first?.requestID == "abc-1")
            #expect("\(letters.first?.id ?? 0)" == "\(answer.json["id"] ?? "")")
            #expect(answer.json["kind"] as? String == "dead_letter")
            let health = try await rig.get("/api/zoho/health").json
            #expect(health["status"] as? String == "warning")
        }
    }

    @Test("Damaged compression is kept as it came; a bomb is refused", arguments: Engine.allCases)
    func compression(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.server.webhookSecret = nil
        } _: { rig in
            let damaged = try await rig.request(
                .POST, "/api/zoho/webhooks/products", headers: ["Content-Encoding": "gzip"], body: [0x1F, 0x8B, 1, 2])
            #expect(damaged.status == 202)
            #expect(try await rig.mirror.deadLetters().map { Array($0.record.bytes) } == [[0x1F, 0x8B, 1, 2]])
            let list = try await rig.get("/api/zoho/dead-letters").json
            let letter = try #require((list["dead_letters"] as? [[String: Any]])?.first)
            #expect(letter["record"] is NSNull)
            #expect(letter["record_base64"] as? String == "H4sBAg==")
            // 4 MiB of zeros, packed by zlib.
            let bomb = try #require(Data(base64Encoded: Self.bomb))
            let refused = try await rig.request(
                .POST, "/api/zoho/webhooks/products", headers: ["Content-Encoding": "gzip"], body: Array(bomb))
            #expect(refused.status == 413)
        }
    }

    @Test("A body beyond 1 MiB is refused, an empty one is acknowledged", arguments: Engine.allCases)
    func sizes(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.server.webhookSecret = nil
        } _: { rig in
            let large = [UInt8](repeating: 0x20, count: 1 << 20 + 1)
            for (body, status) in [(large, 413), ([], 200), ([0x20, 0x0A], 200)] {
                let answer = try await rig.request(.POST, "/api/zoho/webhooks/bills", body: body)
                #expect(answer.status == status)
            }
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
        }
    }

    @Test("A webhook to a wrong path is 404, counted by its path, and seen in health", arguments: Engine.allCases)
    func unknownPath(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            for path in ["/api/zoho/webhooks/journals", "/hooks/zoho", "/hooks/zoho"] {
                #expect(try await rig.request(.POST, path, body: Array("{}".utf8)).status == 404)
            }
            let health = try await rig.get("/api/zoho/health").json
            let checks = try #require(health["checks"] as? [[String: Any]])
            let check = try #require(checks.first { $0["name"] as? String == "deliveries_to_unknown_paths" })
            #expect(check["state"] as? String == "warning")
            #expect(check["parts"] as? [String: Int] == ["/hooks/zoho": 2, "/api/zoho/webhooks/journals": 1])
        }
    }

    @Test("A wrong method is told the right ones; neither that nor a scanner is taken for Zoho")
    func wrongMethod() async throws {
        try await ServerRig.with(.sqlite) { rig in
            let wrong = try await rig.request(.GET, "/api/zoho/webhooks/products")
            #expect(wrong.status == 405)
            #expect(wrong.headers.first(name: "Allow") == "POST, PUT")
            #expect((wrong.json["detail"] as? String)?.contains("POST, PUT") == true)
            #expect(try await rig.request(.POST, "/api/zoho/health").headers.first(name: "Allow") == "GET, HEAD")
            let status = try await rig.request(.POST, "/api/zoho/bulk-sync/status")
            #expect(status.headers.first(name: "Allow") == "GET, HEAD")
            for number in 0..<60 { #expect(try await rig.request(.POST, "/wp-\(number).php").status == 404) }
            let unknown = try await rig.request(.GET, "/nowhere")
            #expect(unknown.status == 404)
            #expect((unknown.json["detail"] as? String)?.contains("openapi.yaml") == true)

            // What carries a signature or a key may be Zoho's, whatever it tries.
            #expect(
                try await rig.request(.DELETE, "/api/zoho/webhooks/bills", headers: ["X-Webhook-Key": "k"]).status
                    == 405)
            #expect(try await rig.request(.POST, "/old", headers: ["X-Zoho-Webhook-Signature": "s"]).status == 404)
            let health = try await rig.get("/api/zoho/health").json
            let checks = try #require(health["checks"] as? [[String: Any]])
            let check = try #require(checks.first { $0["name"] as? String == "deliveries_to_unknown_paths" })
            #expect(check["parts"] as? [String: Int] == ["/old": 1, "DELETE /api/zoho/webhooks/bills": 1])
            let metrics = try await rig.get("/metrics").text
            #expect(metrics.contains(#"zohosync_unknown_webhook_paths_total{path="other"} 60"#))
        }
    }

    @Test("A signed delivery to a wrong path is seen however many strangers tried others", arguments: Engine.allCases)
    func provenPath(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            for number in 0..<55 {
                let garbage = try await rig.request(
                    .POST, "/x\(number)", headers: ["X-Zoho-Webhook-Signature": "garbage"], body: Array("{}".utf8))
                #expect(garbage.status == 404)
                #expect(try await rig.request(.POST, "/zoho/scan\(number)", body: Array("{}".utf8)).status == 404)
            }
            let body = Array(#"{"item":{"item_id":"1"}}"#.utf8)
            let signature = WebhookSignature.sign(
                pairs: [(key: "event", value: "saved")], body: body, secret: ServerRig.secret, .base64)
            let signed = try await rig.request(
                .POST, "/api/zoho/hook/products?event=saved", headers: ["X-Zoho-Webhook-Signature": signature],
                body: body)
            #expect(signed.status == 404)
            let health = try await rig.get("/api/zoho/health").json
            let checks = try #require(health["checks"] as? [[String: Any]])
            let check = try #require(checks.first { $0["name"] as? String == "deliveries_to_unknown_paths" })
            let parts = try #require(check["parts"] as? [String: Int])
            #expect(parts["/api/zoho/hook/products"] == 1)
            #expect(parts["other"] ?? 0 >= 50)
            #expect(
                (check["advice"] as? String)?.hasSuffix("The last of those counted as other went to /zoho/scan54.")
                    == true)
        }
    }

    @Test("Where a delivery cannot be stored, Zoho is told to send it again", arguments: Engine.allCases)
    func unavailable(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            try await rig.mirror.database.write { try $0.script("alter table sync_inbox rename to elsewhere") }
            let body = try rig.body(of: .items, rig.control.id(.items, at: 1), key: "item")
            let answer = try await rig.deliver(body, to: "products")
            #expect(answer.status == 503)
            #expect(answer.headers.first(name: "Retry-After") == "30")
            #expect(try await rig.request(.GET, "/health/ready").status == 503)
            #expect(try await rig.request(.GET, "/health/live").status == 200)
            try await rig.mirror.database.write { try $0.script("alter table elsewhere rename to sync_inbox") }
            #expect(try await rig.deliver(body, to: "products").status == 202)
            try await rig.expect("select count(*) from products", gives: "1")
        }
    }

    @Test(
        "A body with a byte order mark, or packed in several members, is read as it is meant",
        arguments: Engine.allCases)
    func wrappedBodies(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.server.webhookSecret = nil
        } _: { rig in
            let body = try rig.body(of: .items, rig.control.id(.items, at: 0), key: "item")
            let marked = try await rig.request(
                .POST, "/api/zoho/webhooks/products", body: [0xEF, 0xBB, 0xBF] + Array(body.utf8))
            #expect(marked.status == 202 && marked.json["kind"] as? String == "delivery")
            let bytes = Array(body.utf8)
            let members = try PieceTests.packed(Array(bytes[..<100])) + PieceTests.packed(Array(bytes[100...]))
            let packed = try await rig.request(
                .POST, "/api/zoho/webhooks/products", headers: ["Content-Encoding": "gzip"], body: members)
            #expect(packed.status == 202 && packed.json["kind"] as? String == "delivery")
            try await rig.expect("select count(*) from products", gives: "1")
        }
    }

    @Test("A server that others can reach does not start without a secret, unless told so")
    func reachable() async throws {
        await #expect(throws: ServerConfigurationError.unsigned(hostname: "0.0.0.0")) {
            try await ServerRig.with(.sqlite) {
                $0.server.webhookSecret = nil
                $0.server.hostname = "0.0.0.0"
            } _: { _ in
            }
        }
        try await ServerRig.with(.sqlite) {
            $0.server.webhookSecret = nil
            $0.server.hostname = "0.0.0.0"
            $0.server.allowsUnsignedWebhooks = true
        } _: { rig in
            let answer = try await rig.request(.GET, "/health/live")
            #expect(answer.status == 200)
        }
    }

    private static let bomb =
        "H4sIAEOxBGsC/+3BAQEAAACCIP+vbkhAAQ" + String(repeating: "A", count: 5416) + "B8G2pARxEAAEAA"
}
