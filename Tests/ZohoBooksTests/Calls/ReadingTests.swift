import Foundation
import Testing

@testable import ZohoBooks

@Suite struct ReadingTests {
    @Test func recordsAreTheBytesThatZohoSent() async throws {
        let record = #"{ "item_id":"1234567890123456789" ,"rate":1.10,"name":"A\u00e9/\"\/" }"#
        try await Script(calls: { _, _ in
            .json(#"{"code":0,"items":[\#(record) , {} ],"page_context":{"has_more_page":true,"total":"412"}}"#)
        }).run { world in
            let page = try await world.items()
            #expect(page.records.map(\.description) == [record, "{}"])
            #expect(page.hasMore)
            #expect(page.total == 412)
            #expect(page.observedAt == world.time.now)
        }
    }

    /// What a webhook says while an answer is on its way is not older for certain.
    @Test(.timeLimit(.minutes(30)), arguments: ["page", "record", "items"])
    func anAnswerIsAsOldAsItsQuestion(kind: String) async throws {
        let (arrived, released) = (Gate(), Gate())
        try await Script(calls: { request, _ in
            arrived.open()
            await released.wait()
            return request.path.contains("items/") ? .json(#"{"code":0,"item":{"item_id":"1"}}"#) : .items
        }).run { world in
            let askedAt = world.time.now
            let client = world.client
            let answer = Task {
                switch kind {
                case "page": try await client.items().observedAt
                case "record": try await client.record("items", id: "1", detailKey: "item")?.observedAt
                default: try await client.itemDetails(ids: ["1"]).first?.observedAt
                }
            }
            await arrived.wait()
            world.time.advance(by: 30)
            released.open()
            let observedAt = try await answer.value
            #expect(observedAt == askedAt)
        }
    }

    @Test func unknownFieldsAndOddShapesDoNotMatter() async throws {
        try await Script(calls: { _, _ in
            .json(
                #"{"new":{"a":[1,{"b":null}]},"items":[],"code":"0","message":null,"page_context":"","x":"\ud800"}"#)
        }).run { world in
            let page = try await world.items()
            #expect(page.records.isEmpty && !page.hasMore && page.total == nil)
        }
    }

    @Test func theQuerySaysWhatWasAskedFor() async throws {
        try await Script().run { world in
            let request = ListRequest(
                path: "invoices", listKey: "items", filter: "Status.All", sortColumn: "created_time",
                isAscending: false, modifiedSince: Date(timeIntervalSince1970: 1_772_000_000), wantsTotal: true)
            _ = try await world.client.page(1, of: request)
            let query = try #require(world.zoho.calls.first?.query)
            #expect(
                Set(query.split(separator: "&")) == [
                    "page=1", "per_page=200", "filter_by=Status.All", "sort_column=created_time", "sort_order=D",
                    "last_modified_time=2026-02-25T06%3A13%3A20%2B0000", "response_option=1",
                    "organization_id=60099900001",
                ])
            var next = request
            next.wantsTotal = false
            _ = try await world.client.page(2, of: next)
            #expect(world.zoho.calls.last?.query.contains("response_option") == false)
        }
    }

    @Test func aModuleThatRefusesToTellItsTotalIsAskedWithout() async throws {
        try await Script(calls: { request, _ in
            request.query.contains("response_option") ? .refusal(400, 2) : .items
        }).run { world in
            let request = ListRequest(path: "items", wantsTotal: true)
            _ = try await world.client.page(1, of: request)
            _ = try await world.client.page(1, of: request)
            #expect(world.zoho.calls.count == 3)
        }
    }

    @Test func aRecordThatIsGoneIsNil() async throws {
        try await Script(calls: { request, _ in
            request.path.hasSuffix("/1") ? .json(#"{"code":0,"item":{"item_id":"1"}}"#) : .refusal(404, 1_002)
        }).run { world in
            func item(_ id: String) async throws -> DetailRecord? {
                try await world.client.record("items", id: id, detailKey: "item")
            }
            let (first, second) = (try await item("1"), try await item("2"))
            #expect(first?.json.description == #"{"item_id":"1"}"#)
            #expect(second == nil)
        }
    }

    /// A deletion must not be concluded from what something between here and Zoho says.
    @Test(arguments: [
        Reply.html(404), .json("", status: 404), .json(#"{"error":"not found"}"#, status: 404),
        .refusal(404, 5, "Invalid URL Passed"), .json(#"{"code":0,"items":[]}"#), .json(#"{"code":0,"item":[]}"#),
        .json(#"{"code":0,"item":null}"#),
    ])
    func aRecordIsNotGoneUnlessZohoSaysSo(answer: Reply) async throws {
        try await Script(calls: { _, _ in answer }).run { world in
            let error = try await failure { _ = try await world.client.record("items", id: "1", detailKey: "item") }
            #expect(error.kind != .notFound)
        }
    }

    /// Nor from an answer that holds an object where the list should be.
    @Test(arguments: [#"{"code":0,"items":{"item_id":"1"}}"#, #"{"code":0,"items":null}"#, #"{"code":0,"item":[]}"#])
    func anEmptyListIsNotMadeUp(answer: String) async throws {
        try await Script(calls: { _, _ in .json(answer) }).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .invalidAnswer)
        }
    }

    @Test func itemDetailsAreReadByTheHundred() async throws {
        try await Script(calls: { request, _ in
            let ids = request.query.split(separator: "&").first { $0.hasPrefix("item_ids=") } ?? ""
            let count = ids.split(separator: "%2C").count
            return .json(#"{"code":0,"items":[\#(Array(repeating: "{}", count: count).joined(separator: ","))]}"#)
        }).run { world in
            let details = try await world.client.itemDetails(ids: (1...250).map(String.init))
            #expect(details.count == 250)
            #expect(world.zoho.calls.count == 3)
            #expect(try await world.client.itemDetails(ids: []).isEmpty)
            #expect(world.zoho.calls.count == 3)
        }
    }

    @Test(arguments: [
        ("", ""), ("aZ09-._~", "aZ09-._~"), ("a b+c/d?e=f&g%", "a%20b%2Bc%2Fd%3Fe%3Df%26g%25"), ("é\n", "%C3%A9%0A"),
    ])
    func textIsPercentEncoded(text: String, encoded: String) {
        #expect(text.percentEncoded == encoded)
    }
}
