import Foundation
import TestSupport
import Testing

@testable import ZohoSimulator

@Suite struct DeliveryTests {
    @Test func onlyAnAnswerOf2xxEndsTheRepetition() async throws {
        let replies: [Receiver.Reply] = [.status(503), .status(302), .status(404), .hangUp, .status(204)]
        try await withReceiver {
            $0.webhooks.retries = 5
        } reply: {
            replies[min($0, 5) - 1]
        } _: { receiver, control in
            try control.edit(.items, at: 1, ["rate": 1.0])
            try await control.settle()
            let calls = receiver.calls
            #expect(calls.count == 5)
            // A redirect is not followed, and each repetition says the same.
            #expect(calls.allSatisfy { $0.path == "/products" && $0.body == calls.first?.body })
            let statistics = control.webhookStatistics
            #expect(statistics.sent == 5 && statistics.retried == 4)
            #expect(statistics.acknowledged == 1 && statistics.failed == 0)
            #expect(statistics.failedCalls == [503: 1, 302: 1, 404: 1, 0: 1])
            #expect(control.acknowledgedDeliveries.map(\.status) == [204])
        }
    }

    @Test func afterTheLastRepetitionADeliveryHasFailed() async throws {
        try await withReceiver {
            $0.webhooks.retryGrowth = .fixed
        } reply: { _ in
            .status(500)
        } _: { receiver, control in
            try control.edit(.items, at: 1, ["rate": 1.0])
            try await control.settle()
            #expect(receiver.calls.count == 6)
            #expect(control.webhookStatistics.failed == 1)
            #expect(control.acknowledgedDeliveries.isEmpty)
        }
    }

    @Test func aReceiverThatIsNotThereIsTriedAgain() async throws {
        try await withReceiver {
            // Nothing listens there: the port is reserved.
            $0.webhooks.rules = [WebhookRule(.items, url: "http://127.0.0.1:1/")]
        } _: { _, control in
            try control.edit(.items, at: 1, ["rate": 1.0])
            try await control.settle()
            #expect(control.webhookStatistics.failedCalls == [0: 6])
        }
    }

    @Test func silenceIsAFailureAfterTheReadTimeout() async throws {
        try await withReceiver {
            $0.webhooks.readTimeout = .seconds(2)
            $0.webhooks.retries = 20
        } reply: {
            $0 == 1 ? .silence : .status(200)
        } _: { receiver, control in
            try control.edit(.items, at: 1, ["rate": 1.0])
            try await control.settle()
            // On a busy machine a repetition may be late too.
            #expect(control.webhookStatistics.failedCalls.keys.sorted() == [0])
            #expect(control.webhookStatistics.acknowledged == 1)
        }
    }

    @Test(arguments: [
        (SimulatorConfiguration.Webhooks.RetryGrowth.fixed, [10, 10, 10]), (.additive, [10, 20, 30]),
        (.multiplicative, [10, 20, 40]),
    ])
    func repetitionsWaitOnTheClock(
        _ growth: SimulatorConfiguration.Webhooks.RetryGrowth, _ seconds: [Int]
    ) async throws {
        let clock = ManualClock()
        try await withReceiver {
            $0.clock = clock
            $0.webhooks.retries = 3
            $0.webhooks.retryInterval = .seconds(10)
            $0.webhooks.retryGrowth = growth
        } reply: { _ in
            .status(503)
        } _: { receiver, control in
            try control.edit(.items, at: 1, ["rate": 1.0])
            for wait in seconds { #expect(try await clock.advance() == .seconds(wait)) }
            try await control.settle()
            #expect(receiver.calls.count == 4)
        }
    }

    @Test func aDeliveryThatWaitsHoldsUpNoOther() async throws {
        let clock = ManualClock()
        try await withReceiver {
            $0.clock = clock
        } reply: {
            .status($0 == 1 ? 503 : 200)
        } _: { receiver, control in
            control.webhooks.retryInterval = .seconds(10)
            for index in 0..<20 { try control.edit(.items, at: index, ["rate": 1.0]) }
            _ = try await receiver.waitForCalls(20)
            #expect(control.unsettledDeliveries >= 1)
            try await clock.advance()
            try await control.settle()
            let ids = receiver.calls.compactMap { $0.text("item", "item_id") }
            #expect(ids == (0..<20).map { control.id(.items, at: $0) } + [control.id(.items, at: 0)])
        }
    }

    @Test func lossDuplicatesAndReorderingFollowFromTheSeed() {
        func fates(seed: UInt64) -> [DeliveryPlan.Fate] {
            var settings = SimulatorConfiguration.Webhooks()
            settings.loss = 0.1
            settings.duplicates = 0.2
            settings.reordering = 0.3
            var plan = DeliveryPlan(seed: seed)
            return (0..<1_000).map { _ in plan.next(settings, day: 1) }
        }
        let seventh = fates(seed: 7)
        #expect(seventh == fates(seed: 7))
        #expect(seventh != fates(seed: 8))
        let sent = seventh.compactMap { fate -> [Duration]? in if case .sent(let delays) = fate { delays } else { nil }
        }
        #expect((60...140).contains(seventh.count { $0 == .lost }))
        #expect((130...230).contains(sent.count { $0.count == 2 }))
        let delays = sent.flatMap { $0 }
        #expect((240...400).contains(delays.count { $0 > .zero }))
        #expect(delays.allSatisfy { $0 <= .seconds(2) })
    }

    @Test func lostDeliveriesNeverArriveAndDuplicatesTwice() async throws {
        try await withReceiver {
            $0.webhooks.loss = 0.2
            $0.webhooks.duplicates = 0.3
        } _: { receiver, control in
            for index in 0..<200 { try control.edit(.items, at: index, ["rate": 1.0]) }
            try await control.settle()
            let statistics = control.webhookStatistics
            #expect(statistics.lost > 0 && statistics.duplicated > 0)
            #expect(statistics.fired == 200)
            #expect(statistics.acknowledged == 200 - statistics.lost + statistics.duplicated)
            #expect(receiver.calls.count == statistics.acknowledged)
            let ids = receiver.calls.compactMap { $0.text("item", "item_id") }
            #expect(Set(ids).count == 200 - statistics.lost)
            #expect(control.acknowledgedDeliveries.map(\.id) == ids)
        }
    }

    @Test func lateDeliveriesAreOvertakenInTheSameOrderEachTime() async throws {
        func order() async throws -> [String] {
            let clock = ManualClock()
            var ids: [String] = []
            try await withReceiver {
                $0.clock = clock
                $0.webhooks.reordering = 0.3
            } _: { receiver, control in
                for index in 0..<30 { try control.edit(.items, at: index, ["rate": 1.0]) }
                var plan = DeliveryPlan(seed: 1)
                let late = (0..<30).count { _ in plan.next(control.webhooks, day: 1) != .sent([.zero]) }
                _ = try await receiver.waitForCalls(30 - late)
                for count in (30 - late)..<30 {
                    try await clock.advance()
                    _ = try await receiver.waitForCalls(count + 1)
                }
                try await control.settle()
                ids = receiver.calls.compactMap { $0.text("item", "item_id") }
                #expect(ids.count == 30 && ids != ids.sorted())
            }
            return ids
        }
        #expect(try await order() == order())
    }

    @Test func overTheCapOfTheDayNothingIsSent() async throws {
        try await withReceiver {
            $0.webhooks.callsPerDay = 3
        } _: { receiver, control in
            for index in 0..<5 { try control.edit(.items, at: index, ["rate": 1.0]) }
            try await control.settle()
            #expect(receiver.calls.count == 3)
            #expect(control.webhookStatistics.refusedByCap == 2)
            control.advanceClock(by: .seconds(86_400))
            try control.edit(.items, at: 9, ["rate": 1.0])
            _ = try await receiver.waitForCalls(4)
        }
    }

    @Test func anAcknowledgedDeliveryTellsWhatWasDelivered() async throws {
        try await withReceiver { receiver, control in
            let id = control.id(.items, at: 1)
            try control.edit(.items, id: id, ["rate": 1.0])
            control.advanceClock(by: .seconds(60))
            try control.deactivate(.items, id: id)
            try control.delete(.invoices, id: control.id(.invoices, at: 1))
            try await control.settle()
            let deliveries = control.acknowledgedDeliveries
            #expect(deliveries.map(\.recordStatus).prefix(2) == ["active", "inactive"])
            try #require(deliveries.map(\.event) == [.edited, .edited, .deleted])
            let times = receiver.calls.map { call in
                ["item", "invoice"].compactMap { call.text($0, "last_modified_time") }.first
            }
            #expect(deliveries.map { $0.lastModifiedTime } == times)
            #expect(deliveries[0].lastModifiedTime < deliveries[1].lastModifiedTime)
        }
    }

    @Test func onlyTheNewestDeliveriesAreRemembered() async throws {
        try await withReceiver {
            $0.webhooks.rememberedDeliveries = 3
        } _: { _, control in
            for index in 0..<5 { try control.edit(.items, at: index, ["rate": 1.0]) }
            try await control.settle()
            #expect(control.acknowledgedDeliveries.map(\.id) == (2..<5).map { control.id(.items, at: $0) })
        }
    }

    @Test func webhooksAreConfiguredByHTTP() async throws {
        try await Receiver.with { receiver, address in
            try await withClient { client, control in
                let settings = """
                    {"rules":[{"module":"items","events":["edited"],"url":"\(address)/a"}],"secret":"demoSecret2026abc",
                    "signature":"base64","headers":{"X-Webhook-Key":"k"},"body":"form","names_event":true,
                    "duplicates":1,"retries":2,"calls_per_day":null}
                    """
                let answer = try await client.send(.post, "/_simulator/webhooks", body: settings)
                #expect(answer.status == 200 && !answer.text.contains("demoSecret"))
                #expect(answer.object("webhooks")["is_signed"] as? Bool == true)
                try control.edit(.items, at: 1, ["rate": 1.0])
                try await control.settle()
                #expect(receiver.calls.map(\.path) == ["/a", "/a"])
                #expect(receiver.calls.allSatisfy { $0.headers["x-zoho-webhook-signature"] != nil })
                let report = try await client.send(.get, "/_simulator/webhooks").object("webhooks")
                #expect(report["acknowledged"] as? Int == 2 && report["duplicated"] as? Int == 1)
                let list = try await client.send(.get, "/_simulator/webhooks/acknowledged?skip=1").rows("deliveries")
                #expect(list.map { $0["id"] as? String } == [control.id(.items, at: 1)])
                for wrong in [#"{"loss":2}"#, #"{"colour":"red"}"#, #"{"rules":[{"module":"tea","url":"x"}]}"#] {
                    #expect(try await client.send(.post, "/_simulator/webhooks", body: wrong).status == 400)
                }
                #expect(control.webhooks.rules.count == 1 && control.webhooks.loss == 0)
            }
        }
    }
}
