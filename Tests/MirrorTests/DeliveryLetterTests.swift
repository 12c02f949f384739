import Catalog
import Database
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("Dead letters of deliveries")
struct DeliveryLetterTests {
    @Test("What nobody can read is a dead letter with its bytes, once", arguments: Engine.allCases)
    func unreadable(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            for _ in 0..<2 {
                _ = try await mirror.store([
                    NewDelivery(
                        entity: "invoices", content: .unreadable(body: Array("nonsense".utf8), reason: "not JSON"),
                        receivedAt: time.now, requestID: "r")
                ])
            }
            let letters = try await mirror.deadLetters()
            try #require(letters.map(\.form) == [.delivery])
            #expect(letters[0].record.description == "nonsense")
            #expect(letters[0].attempts == 2)
            #expect(try await mirror.retry(letters[0]) == .applied(.failed))
            #expect(try await mirror.discardDeadLetter(letters[0].id, reason: "a test call"))
            #expect(try await mirror.discardDeadLetter(letters[0].id, reason: "a test call") == false)
            #expect(try await mirror.deadLetters().isEmpty)
        }
    }

    @Test("What was given up comes back into the inbox when it is tried again", arguments: Engine.allCases)
    func givingUp(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            _ = try await mirror.store([
                NewDelivery(
                    entity: "products", content: .readable(.mark, zohoID: "1", record: nil), receivedAt: time.now,
                    requestID: "r")
            ])
            time.advance(by: 4)
            try await mirror.giveUp(
                try await mirror.claim([.mark], limit: 1, holder: "a", lease: 60), reason: "Zoho says no")
            #expect(try await mirror.inboxDepth().count == 0)
            let letter = try #require(try await mirror.deadLetters().first)
            #expect(letter.form == .mark)
            #expect(try await mirror.retry(letter) == .queued)
            #expect(try await mirror.deadLetters().isEmpty)
            #expect(try await mirror.claim([.mark], limit: 1, holder: "a", lease: 60).map(\.zohoID) == ["1"])
        }
    }

    @Test("A body that came to say that a record is gone is tried again as that", arguments: Engine.allCases)
    func deletion(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            // Not understood when it came, say.
            let body = "item=%7B%22item_id%22%3A%221%22%2C%22created_time%22%3A%222026-02-20T10%3A06%3A12%2B0000%22%7D"
            for isDeletion in [true, false] {
                _ = try await mirror.store([
                    NewDelivery(
                        entity: "products",
                        content: .unreadable(
                            body: Array(body.utf8), reason: "no",
                            source: DeliverySource(
                                webhook: "products", isDeletion: isDeletion,
                                contentType: "application/x-www-form-urlencoded")),
                        receivedAt: time.now, requestID: "r")
                ])
            }
            let letters = try await mirror.deadLetters()
            try #require(letters.map(\.record.description) == [body, body])
            #expect(letters.map { $0.source?.isDeletion } == [true, false])
            #expect(try await mirror.retry(letters[0]) == .queued)
            #expect(
                try await mirror.claim([.deletion, .record], limit: 9, holder: "a", lease: 60).map(\.kind) == [
                    .deletion
                ])
        }
    }

    @Test("Every record that a body names is queued when it is tried again", arguments: Engine.allCases)
    func lines(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let body = #"{"inventory_adjustment":{"line_items":[{"item_id":"1"},{"item_id":"2"},{"item_id":"1"}]}}"#
            _ = try await mirror.store([
                NewDelivery(
                    entity: "products",
                    content: .unreadable(
                        body: Array(body.utf8), reason: "no",
                        source: DeliverySource(webhook: "stock", isDeletion: false, contentType: nil)),
                    receivedAt: time.now, requestID: "r")
            ])
            #expect(try await mirror.retry(try #require(try await mirror.deadLetters().first)) == .queued)
            let marks = try await mirror.claim([.mark], limit: 9, holder: "a", lease: 60)
            #expect(marks.map(\.zohoID) == ["1", "2"])
        }
    }
}
