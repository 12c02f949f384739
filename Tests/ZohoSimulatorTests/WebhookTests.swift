import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPCompression
import Testing

@testable import ZohoSimulator

@Suite struct WebhookTests {
    private static let json = Array(#"{"invoice":{"invoice_id":"3460000000055001","status":"sent"}}"#.utf8)

    @Test func theSignatureOfAQueryAndAJSONBodyIsTheOneOfTheReference() {
        func sign(_ encoding: WebhookSignature.Encoding) -> String {
            WebhookSignature.sign(
                pairs: [("shop", "north"), ("env", "test")], body: Self.json, secret: "demoSecret2026abc", encoding)
        }
        #expect(sign(.hex) == "572543dc86e41f5d679128d8d075ae813ecba6157ccd829e96668fbdfaeb22cd")
        #expect(sign(.base64) == "VyVD3IbkH11nkSjY0HWugT7LphV8zYKelmaPvfrrIs0=")
    }

    @Test func theSignatureOfAQueryAndAFormIsTheOneOfTheReference() {
        func sign(_ encoding: WebhookSignature.Encoding) -> String {
            WebhookSignature.sign(
                pairs: [("env", "test"), ("JSONString", String(decoding: Self.json, as: UTF8.self))], body: [],
                secret: "demoSecret2026abc", encoding)
        }
        #expect(sign(.hex) == "e71654dfe9d4566d981d1a26fa7fd601d143b258f98103a549da3a9031906ec0")
        #expect(sign(.base64) == "5xZU3+nUVm2YHRom+n/WAdFDslj5gQOlSdo6kDGQbsA=")
    }

    @Test(arguments: WebhookModule.allCases.filter { $0.path != nil })
    func aBodyIsTheDetailRecordWithTwins(_ module: WebhookModule) async throws {
        try await withReceiver { receiver, control in
            let isContact = module == .customers || module == .vendors
            let source = isContact ? .contacts : try #require(SimulatorModule(rawValue: module.rawValue))
            let index = module == .vendors ? 12 : 1
            let id = control.id(source, at: index)
            try control.edit(source, id: id, ["notes": "Let op: \"fragile\""])
            let call = try #require(try await receiver.waitForCalls(1).first)
            #expect(call.path == "/\(try #require(module.path))")
            #expect(call.headers["content-type"] == "application/json;charset=UTF-8")
            let record = try #require(control.record(source, id: id))
            let truth = try #require(try JSONSerialization.jsonObject(with: Data(record)) as? NSDictionary)
            #expect(Self.withoutTwins(call.record(source.detailKey), like: truth) == truth)
            #expect(call.json.count == 1)
            try await control.settle()
            #expect(control.acknowledgedDeliveries.map(\.module) == [module])
            #expect(control.acknowledgedDeliveries.map(\.id) == [id])
        }
    }

    /// Takes out the members that only a webhook has.
    private static func withoutTwins(_ value: NSDictionary, like truth: NSDictionary) -> NSDictionary {
        func plain(_ value: Any, _ truth: Any?) -> Any {
            if let object = value as? NSDictionary {
                let truth = truth as? NSDictionary ?? [:]
                let result = NSMutableDictionary()
                for case (let key as String, let member) in object
                where truth[key] != nil || !key.hasSuffix("_formatted") {
                    result[key] = plain(member, truth[key])
                }
                return result
            }
            if let list = value as? NSArray {
                let truths = truth as? NSArray ?? []
                return NSArray(
                    array: list.enumerated().map { plain($1, $0 < truths.count ? truths[$0] : nil) })
            }
            return value
        }
        return plain(value, truth) as? NSDictionary ?? [:]
    }

    @Test func moneyDatesAndEnumsHaveReadableTwins() async throws {
        try await withReceiver { receiver, control in
            try control.edit(
                .invoices, at: 1,
                [
                    "total": 1438.5, "balance": -0.05, "status": "partially_paid", "date": "2026-02-20",
                    "due_date": "", "currency_code": "EUR", "adjustment": "abc",
                ])
            let invoice = try #require(try await receiver.waitForCalls(1).first).record("invoice")
            #expect(invoice["total_formatted"] as? String == "€1,438.50")
            #expect(invoice["balance_formatted"] as? String == "-€0.05")
            #expect(invoice["status_formatted"] as? String == "Partially Paid")
            #expect(invoice["date_formatted"] as? String == "20 Feb 2026")
            #expect(invoice["due_date_formatted"] as? String == "")
            #expect(invoice["adjustment_formatted"] as? String == "abc")
            let line = try #require((invoice["line_items"] as? [NSDictionary])?.first)
            #expect((line["rate_formatted"] as? String)?.hasPrefix("€") == true)
            #expect(invoice["contact"] is NSDictionary)
        }
    }

    @Test func whatIsNoAmountIsItsOwnTwin() {
        var writer = JSONWriter()
        FormattedTwins.write(Array(#"{"total":1e400,"rate":null,"status":"","date":"27 Dec 2016"}"#.utf8), to: &writer)
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"total":1e400,"total_formatted":1e400,"rate":null,"rate_formatted":null,"status":"","#
                + #""status_formatted":"","date":"27 Dec 2016","date_formatted":"27 Dec 2016"}"#)
    }

    @Test func eachChangeFiresTheRuleOfItsEvent() async throws {
        try await withReceiver {
            $0.webhooks.namesEvent = true
            $0.webhooks.headers = ["X-Webhook-Key": "abc"]
        } _: { receiver, control in
            let id = control.create(.items, ["name": "Vers"])
            try control.setStock(id: id, to: 7.5)
            try control.delete(.items, id: id)
            try control.merge(contacts: [control.id(.contacts, at: 1)], into: control.id(.contacts, at: 2))
            try control.deactivate(.pricebooks, id: control.id(.pricebooks, at: 1))
            try await control.settle()
            let calls = receiver.calls
            #expect(calls.map(\.query) == ["created", "edited", "deleted", "deleted", "edited"].map { "event=" + $0 })
            try #require(calls.map(\.path) == ["/products", "/products", "/products", "/customers", "/customers"])
            #expect(calls.allSatisfy { $0.headers["x-webhook-key"] == "abc" })
            #expect(calls[2].text("item", "name") == "Vers")
            #expect(calls[2].record("item")["stock_on_hand"] as? Double == 7.5)
            #expect(calls[3].text("contact", "contact_id") == control.id(.contacts, at: 1))
        }
    }

    @Test func aRuleFiresOnlyForItsModuleAndEvents() async throws {
        try await Receiver.with { receiver, address in
            try await ZohoSimulator.withSimulator(frozen()) { simulator in
                let control = simulator.control
                control.webhooks.rules = [WebhookRule(.items, [.deleted], url: address + "/gone?shop=north")]
                try control.edit(.items, at: 1, ["rate": 1.0])
                try control.delete(.invoices, id: control.id(.invoices, at: 1))
                try control.delete(.items, id: control.id(.items, at: 1))
                try await control.settle()
                #expect(receiver.calls.map(\.path) == ["/gone"])
                #expect(receiver.calls.map(\.query) == ["shop=north"])
                #expect(control.webhookStatistics.fired == 1)
            }
        }
    }

    @Test(arguments: WebhookSignature.Encoding.allCases, SimulatorConfiguration.Webhooks.Body.allCases)
    func callsAreSignedOverQueryAndBody(
        _ encoding: WebhookSignature.Encoding, _ body: SimulatorConfiguration.Webhooks.Body
    ) async throws {
        try await withReceiver {
            $0.webhooks.secret = "demoSecret2026abc"
            $0.webhooks.signature = encoding
            $0.webhooks.body = body
            $0.webhooks.namesEvent = true
        } _: { receiver, control in
            try control.edit(.items, at: 1, ["name": "Balk & co = 100% + één"])
            let call = try #require(try await receiver.waitForCalls(1).first)
            var pairs = [(key: "event", value: "edited")]
            var signed = call.body
            var record = call.record("item")
            if body == .form {
                #expect(call.headers["content-type"] == "application/x-www-form-urlencoded;charset=UTF-8")
                let form = try #require(QueryString(String(decoding: call.body, as: UTF8.self))["JSONString"])
                pairs.append((key: "JSONString", value: form))
                signed = []
                let json = try JSONSerialization.jsonObject(with: Data(form.utf8)) as? [String: NSDictionary]
                record = json?["item"] ?? [:]
            }
            #expect(record["name"] as? String == "Balk & co = 100% + één")
            #expect(
                call.headers["x-zoho-webhook-signature"]
                    == WebhookSignature.sign(pairs: pairs, body: signed, secret: "demoSecret2026abc", encoding))
        }
    }

    @Test func withoutASecretOrAnEncodingNothingIsSigned() async throws {
        try await withReceiver { receiver, control in
            try control.edit(.items, at: 1, ["rate": 1.0])
            _ = try await receiver.waitForCalls(1)
            control.webhooks.secret = "demoSecret2026abc"
            control.webhooks.signature = nil
            try control.edit(.items, at: 1, ["rate": 2.0])
            #expect(try await receiver.waitForCalls(2).allSatisfy { $0.headers["x-zoho-webhook-signature"] == nil })
        }
    }

    @Test func theUncertainPartsOfABodyAreSwitches() async throws {
        try await withReceiver {
            $0.webhooks.paymentKey = "customer_payment"
            $0.webhooks.organizationID = .number
            $0.webhooks.body = .raw
        } _: { receiver, control in
            try control.edit(.customerpayments, at: 1, ["description": "x"])
            let first = try #require(try await receiver.waitForCalls(1).first)
            #expect(first.json["organization_id"] as? Int == 60_099_900_001)
            #expect(first.text("customer_payment", "description") == "x")
            #expect(first.headers["content-type"] == "application/json")
            control.webhooks.organizationID = .string
            try control.edit(.invoices, at: 1, ["notes": "x"])
            let second = try #require(try await receiver.waitForCalls(2).last)
            #expect(second.json["organization_id"] as? String == "60099900001")
        }
    }

    @Test func bodiesAreSignedBeforeTheyAreCompressed() async throws {
        try await withReceiver {
            $0.webhooks.gzip = true
            $0.webhooks.secret = "demoSecret2026abc"
        } _: { receiver, control in
            try control.edit(.items, at: 1, ["rate": 1.0])
            let call = try #require(try await receiver.waitForCalls(1).first)
            #expect(call.headers["content-encoding"] == "gzip")
            let body = try Self.inflate(call.body)
            #expect(body.count > call.body.count)
            #expect(
                call.headers["x-zoho-webhook-signature"]
                    == WebhookSignature.sign(pairs: [], body: body, secret: "demoSecret2026abc", .hex))
        }
    }

    private static func inflate(_ body: [UInt8]) throws -> [UInt8] {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(NIOHTTPRequestDecompressor(limit: .none))
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")
        head.headers = ["Content-Encoding": "gzip", "Content-Length": "\(body.count)"]
        try channel.writeInbound(HTTPServerRequestPart.head(head))
        try channel.writeInbound(HTTPServerRequestPart.body(ByteBuffer(bytes: body)))
        try channel.writeInbound(HTTPServerRequestPart.end(nil))
        var result: [UInt8] = []
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            if case .body(let buffer) = part { result += buffer.readableBytesView }
        }
        _ = try channel.finish(acceptAlreadyClosed: true)
        return result
    }
}
