import Foundation
import TestSupport
import Testing

@testable import ZohoSimulator

@Suite struct TrafficTests {
    @Test(arguments: [1.0, 40, 2_000])
    func thePaceIsTheOneAskedFor(_ perSecond: Double) async throws {
        let clock = ManualClock()
        var configuration = frozen()
        configuration.clock = clock
        configuration.trafficPerSecond = perSecond
        try await ZohoSimulator.withSimulator(configuration) { simulator in
            var passed = Duration.zero
            while passed < .seconds(3) { passed += try await clock.advance() }
            // The traffic sleeps again when it has made what was due.
            passed += try await clock.advance()
            let due = perSecond * (passed / .seconds(1))
            let batch = Double(TrafficPace(perSecond: perSecond).batch)
            let made = Double(simulator.control.trafficStatistics.changes)
            #expect(made >= due - 2 * batch && made <= due + 2 * batch)
        }
    }

    @Test func theSameSeedMakesTheSameChanges() {
        func books(seed: UInt64) -> [[UInt8]?] {
            let control = SimulatorControl(frozen { $0.seed = seed })
            for _ in 0..<300 { control.makeChange() }
            return SimulatorModule.allCases.flatMap { module in
                control.ids(module).prefix(50).map { control.record(module, id: $0) }
            }
        }
        let once = books(seed: 3)
        #expect(once == books(seed: 3))
        #expect(once != books(seed: 4))
    }

    @Test func trafficEditsCreatesAndDeletesInManyModules() async throws {
        try await withReceiver { receiver, control in
            for _ in 0..<500 { control.makeChange() }
            try await control.settle()
            let statistics = control.trafficStatistics
            #expect(statistics.edited > 400 && statistics.created > 5 && statistics.deleted > 2)
            #expect(Set(receiver.calls.map(\.path)).count == 8)
            #expect(receiver.calls.count == 500)
            #expect(control.webhookStatistics.acknowledged == 500)
        }
    }

    @Test func trafficWaitsWhileTheQueueIsFull() async throws {
        let clock = ManualClock()
        try await withReceiver {
            $0.clock = clock
            $0.trafficPerSecond = 2_000
            $0.webhooks.queueLimit = 10
            $0.webhooks.concurrency = 4
        } reply: { _ in
            .silence
        } _: { receiver, control in
            _ = try await receiver.waitForCalls(4)
            // Four changes at a time, so that the third time ends in the middle.
            for _ in 0..<2 { try await clock.advance() }
            try await control.sender.queue.wait { $0.unsettled >= 10 ? () : nil }
            #expect(control.trafficStatistics.changes <= 10)
            // A change by hand is never held up.
            try control.edit(.items, at: 1, ["rate": 1.0])
            #expect(control.unsettledDeliveries >= 11)
        }
    }

    @Test func trafficIsStartedAndStoppedByHTTP() async throws {
        let clock = ManualClock()
        var configuration = SimulatorConfiguration()
        configuration.clock = clock
        try await withClient(configuration) { client, control in
            let started = try await client.send(.post, "/_simulator/traffic", body: #"{"per_second":50}"#)
            #expect(started.object("traffic")["per_second"] as? Double == 50)
            for _ in 0..<10 { try await clock.advance() }
            let stopped = try await client.send(.post, "/_simulator/traffic", body: #"{"per_second":0}"#)
            #expect(stopped.object("traffic")["per_second"] as? Double == 0)
            try await control.settle()
            let made = control.trafficStatistics.changes
            #expect((9...12).contains(made))
            #expect(try await client.send(.get, "/_simulator/traffic").object("traffic")["changes"] as? Int == made)
            #expect(try await client.send(.post, "/_simulator/traffic", body: #"{"per_second":-1}"#).status == 400)
        }
    }
}
