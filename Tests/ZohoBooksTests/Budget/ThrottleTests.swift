import Foundation
import Testing

@testable import ZohoBooks

@Suite struct ThrottleTests {
    @Test(arguments: [(429, 44), (200, 44), (400, 44), (429, 0)])
    func aFullMinutePausesEverythingForAMinute(status: Int, code: Int) {
        let purse = Purse()
        purse.call(at: 0, status: status, code: code)
        #expect(purse.ask(at: 0) == .wait(.seconds(60)))
        #expect(purse.ask(at: 59, .detail, .interactive) == .wait(.seconds(1)))
        #expect(purse.call(at: 60))
    }

    @Test func anotherAnswerDoesNotEndAPause() {
        let purse = Purse()
        guard case .go(let slow) = purse.ask(at: 0) else { return }
        purse.call(at: 0, status: 429, code: 44)
        purse.budget.finish(slow, CallOutcome(status: 200, code: 0), limits: purse.limits, at: Purse.time(1))
        #expect(purse.ask(at: 1) == .wait(.seconds(59)))
    }

    @Test func aLongerHintBeatsTheMinute() {
        let purse = Purse()
        purse.call(at: 0, status: 429, code: 44) { $0.retryAfter = .seconds(90) }
        #expect(purse.ask(at: 0) == .wait(.seconds(91)))
    }

    @Test func aFullMinuteLowersThePaceWhichComesBackStepByStep() {
        let purse = Purse()
        purse.limits.detailCallsPerMinute = nil
        purse.call(at: 0, status: 429, code: 44)
        for (second, pace) in [(61, 75), (500, 75), (600, 80), (899, 80), (1_000, 85), (1_800, 100), (9_000, 100)] {
            // What is allowed is allowed at once.
            #expect(purse.calls(at: Double(second)) == pace, "\(second)")
            #expect(purse.ask(at: Double(second)) == .wait(.seconds(61)))
        }
    }

    @Test func eachFurtherRefusalLowersThePaceToATenthAtLast() {
        let purse = Purse()
        for (number, pace) in [75, 56, 42, 31, 23, 17, 12, 10, 10].enumerated() {
            let second = Double(number * 200)
            purse.call(at: second, status: 429, code: 44)
            let snapshot = purse.budget.snapshot(limits: purse.limits, at: Purse.time(second + 100))
            #expect(snapshot.remainingThisMinute == pace)
            #expect(purse.calls(at: second + 100) == pace)
        }
    }

    @Test func whatIsRefusedTogetherLowersThePaceOnce() {
        let purse = Purse()
        let tickets = (0..<10).compactMap { _ in if case .go(let ticket) = purse.ask(at: 0) { ticket } else { nil } }
        for (second, ticket) in tickets.enumerated() {
            purse.budget.finish(
                ticket, CallOutcome(status: 429, code: 44), limits: purse.limits, at: Purse.time(Double(second)))
        }
        #expect(purse.budget.snapshot(limits: purse.limits, at: Purse.time(9)).remainingThisMinute == 0)
        #expect(purse.calls(at: 100) == 75)
    }

    /// Another program makes 30 calls a minute: full pace is refused each time, and must not be tried every minute.
    @Test func besideAnotherProgramARefusalIsRare() {
        let purse = Purse()
        let refusals = (0..<240).count { minute in
            let second = Double(minute * 62)
            guard purse.calls(at: second) > 70 else { return false }
            _ = purse.call(at: second + 61, status: 429, code: 44)
            return true
        }
        #expect((1...14).contains(refusals), "\(refusals) in four hours")
    }

    @Test func whoeverThrottlesWithoutACodeKnowsBest() {
        let purse = Purse()
        purse.call(at: 0, status: 429) { $0.retryAfter = .seconds(5) }
        #expect(purse.ask(at: 0) == .wait(.seconds(6)))
    }

    @Test func theSoftThrottlePausesDetailsAndHalvesTheirPace() {
        let purse = Purse()
        purse.call(at: 0, .detail, status: 429, code: 43)
        #expect(purse.ask(at: 1, .detail) == .wait(.seconds(59)))
        #expect(purse.call(at: 1, .list))
        #expect(purse.calls(at: 100, .detail) == 25)
        #expect(purse.calls(at: 200, .detail) == 25)
        #expect(purse.calls(at: 301, .detail) == 50)
    }

    @Test func theSoftThrottleOfAListPausesEverything() {
        let purse = Purse()
        purse.call(at: 0, .list, status: 429, code: 43)
        #expect(purse.ask(at: 0, .list) == .wait(.seconds(60)))
        #expect(purse.ask(at: 0, .detail) == .wait(.seconds(60)))
        #expect(purse.call(at: 60))
    }

    @Test func tooManyAtOnceMeansFewerForAWhile() {
        let purse = Purse()
        purse.limits.callsPerMinute = nil
        for _ in 0..<8 { _ = purse.ask(at: 0) }
        purse.call(at: 0, status: 429, code: 1_070)
        #expect(purse.ask(at: 0) == .wait(.seconds(1)))
        // Eight are under way; six may be.
        #expect(purse.ask(at: 1) == .busy(underWay: 8))
        // The eight lapse; the narrowing is over long before.
        var under = 0
        while case .go = purse.ask(at: 181) { under += 1 }
        #expect(under == 10)
    }

    @Test func theNarrowingHoldsForAMinute() {
        let purse = Purse()
        purse.limits.inFlight = 4
        var tickets: [CallTicket] = []
        for _ in 0..<4 { if case .go(let ticket) = purse.ask(at: 0) { tickets.append(ticket) } }
        let refusal = CallOutcome(status: 429, code: 1_070)
        for (index, ticket) in tickets.enumerated() {
            let outcome = index == 0 ? refusal : CallOutcome(status: 200, code: 0)
            purse.budget.finish(ticket, outcome, limits: purse.limits, at: Purse.time(0))
        }
        guard case .go = purse.ask(at: 59), case .go = purse.ask(at: 59) else {
            Issue.record("two of the three calls under way at the refusal may be")
            return
        }
        #expect(purse.ask(at: 59) == .busy(underWay: 2))
        #expect(purse.call(at: 60))
    }

    @Test func atLeastOneCallMayBeUnderWay() {
        let purse = Purse()
        for second in 0..<5 { purse.call(at: Double(second * 2), status: 429, code: 1_070) }
        #expect(purse.call(at: 12))
    }
}
