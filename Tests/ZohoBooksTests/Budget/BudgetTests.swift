import Foundation
import TestSupport
import Testing

@testable import ZohoBooks

@Suite struct BudgetTests {
    @Test func aHundredCallsFitIntoAMinute() {
        let purse = Purse()
        #expect(purse.calls(at: 0.9) == 100)
        #expect(purse.ask(at: 0.9) == .wait(.seconds(61)))
        #expect(purse.ask(at: 59) == .wait(.seconds(2)))
        #expect(purse.ask(at: 60.9) == .wait(.seconds(1)))
        #expect(purse.calls(at: 61) == 100)
    }

    @Test func theMinuteSlides() {
        let purse = Purse()
        for second in 0..<50 { #expect(purse.call(at: Double(second))) }
        #expect(purse.calls(at: 55) == 50)
        #expect(purse.ask(at: 55) == .wait(.seconds(6)))
        #expect(purse.calls(at: 61) == 1)
        #expect(purse.calls(at: 65) == 4)
    }

    @Test(arguments: 1...20) func noSixtySecondsHoldMoreThanTheLimits(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let purse = Purse()
        var (made, details): ([Double], [Double]) = ([], [])
        var second = 0.0
        while second < 400 {
            let kind: CallKind = Bool.random(using: &random) ? .detail : .list
            switch purse.ask(at: second, kind) {
            case .go(let ticket):
                made.append(second)
                if kind == .detail { details.append(second) }
                purse.budget.finish(
                    ticket, CallOutcome(status: 200, code: 0), limits: purse.limits, at: Purse.time(second))
                second += Double.random(in: 0..<0.4, using: &random)
            case .wait(let duration):
                // Whoever comes a little early is not let in.
                #expect(duration > .zero && duration <= .seconds(61))
                second += duration / .seconds(1) * Double.random(in: 0.5...1.0, using: &random)
            case .busy, .exhausted:
                Issue.record("neither full nor exhausted")
                return
            }
        }
        for (times, limit) in [(made, 100), (details, 50)] {
            for (index, time) in times.enumerated() {
                #expect(times[index...].prefix { $0 <= time + 60 }.count <= limit)
            }
            // And the limits are used.
            #expect(times.count > limit * 5)
        }
    }

    @Test func detailsHaveAWindowOfTheirOwn() {
        let purse = Purse()
        #expect(purse.calls(at: 0, .detail) == 50)
        #expect(purse.ask(at: 0, .detail) == .wait(.seconds(61)))
        #expect(purse.calls(at: 0, .list) == 50)
    }

    @Test func whoWasToldToWaitFindsRoomThoughBackgroundWorkComesFirst() {
        let purse = Purse()
        #expect(purse.calls(at: 0, .detail) == 50)
        #expect(purse.ask(at: 0, .detail, .interactive) == .wait(.seconds(61)))
        #expect(purse.calls(at: 61, .detail) == 40)
        #expect(purse.calls(at: 64, .detail, .interactive) == 10)
        // Who does not come back keeps nothing from anybody.
        #expect(purse.calls(at: 140, .detail) == 50)
    }

    @Test func aLimitThatIsNotThereDoesNotLimit() {
        let purse = Purse()
        purse.limits.callsPerMinute = nil
        purse.limits.detailCallsPerMinute = nil
        #expect(purse.calls(at: 0, .detail) == 1_000)
        #expect(purse.budget.snapshot(limits: purse.limits, at: Purse.time(0)).remainingThisMinute == nil)
    }

    @Test func noMoreCallsAreUnderWayThanThereArePlaces() throws {
        let purse = Purse()
        var tickets: [CallTicket] = []
        for _ in 0..<10 {
            guard case .go(let ticket) = purse.ask(at: 0) else { break }
            tickets.append(ticket)
        }
        #expect(Set(tickets).count == 10)
        #expect(purse.ask(at: 0) == .busy(underWay: 10))
        purse.budget.finish(
            try #require(tickets.first), CallOutcome(status: 0, code: 0), limits: purse.limits, at: Purse.time(1))
        #expect(purse.call(at: 1))
    }

    @Test func thePlaceOfAKilledProcessLapses() {
        let purse = Purse()
        purse.limits.inFlight = 1
        guard case .go = purse.ask(at: 0) else { return }
        #expect(purse.ask(at: 179) == .busy(underWay: 1))
        #expect(purse.call(at: 181))
    }

    @Test func aTicketThatComesTwiceOrTooLateFreesNothingElse() {
        let purse = Purse()
        purse.limits.inFlight = 1
        guard case .go(let lost) = purse.ask(at: 0), case .go = purse.ask(at: 200) else { return }
        for _ in 0..<2 {
            purse.budget.finish(lost, CallOutcome(status: 200, code: 0), limits: purse.limits, at: Purse.time(201))
        }
        #expect(purse.ask(at: 201) == .busy(underWay: 1))
    }

    @Test func aClockThatIsSetBackDoesNotStopTheWork() {
        let purse = Purse()
        #expect(purse.calls(at: 7_200) == 100)
        #expect(purse.ask(at: 0) == .wait(.seconds(61)))
        #expect(purse.calls(at: 61) == 100)
        purse.call(at: 9_000, status: 429, code: 44)
        #expect(purse.ask(at: 200) == .wait(.seconds(60)))
        #expect(purse.calls(at: 261) == 75)
        #expect(purse.calls(at: 1_000) == 80)
    }

    @Test(arguments: [1.0, 61, 299]) func theMinuteIsOneForTwoServersWhoseClocksDiffer(ahead: Double) {
        let purse = Purse()
        #expect(purse.calls(at: ahead) == 100)
        // The other server, at the same moment and until the first one's next call.
        #expect(purse.ask(at: 0) == .wait(.seconds(61)))
        #expect(purse.budget.snapshot(limits: purse.limits, at: Purse.time(0)).remainingThisMinute == 0)
        #expect(purse.calls(at: 30) == 0)
        #expect(purse.ask(at: ahead + 30) == .wait(.seconds(31)))
        #expect(purse.calls(at: ahead + 61) == 100)
        #expect(purse.calls(at: 62) == 0)
    }

    @Test func aRefusalIsRespectedByAServerWhoseClockIsBehind() {
        let purse = Purse()
        purse.call(at: 61, status: 429, code: 44)
        #expect(purse.ask(at: 0) == .wait(.seconds(60)))
        #expect(purse.call(at: 121))
    }

    @Test func aRowOfAnEarlierVersionIsRead() throws {
        let row = """
            {"made":{"1772000000":7},"madeForDetails":{},"underWay":{},"nextTicket":9,"dailyRemaining":400,
             "isExhausted":false,"pausedUntil":0,"detailsPausedUntil":0,"gentleUntil":0,"narrowedUntil":0,"narrowed":1}
            """
        let budget = try JSONDecoder().decode(Budget.self, from: Data(row.utf8))
        let snapshot = budget.snapshot(limits: BudgetLimits(), at: Purse.time(1))
        #expect(snapshot.remainingThisMinute == 93 && snapshot.remainingToday == 400)
    }

    @Test func aBudgetIsTheSameAfterItsRow() throws {
        let purse = Purse()
        purse.call(at: 0, .detail, status: 429, code: 43)
        _ = purse.ask(at: 1)
        purse.call(at: 2) {
            $0.dailyLimit = 1_000
            $0.dailyRemaining = 400
            $0.dailyReset = 3_000
        }
        let row = try JSONEncoder().encode(purse.budget)
        #expect(try JSONDecoder().decode(Budget.self, from: row) == purse.budget)
        // A row is read and written with every call.
        #expect(row.count < 1_000)
    }
}
