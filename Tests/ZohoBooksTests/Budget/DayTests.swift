import Foundation
import Testing

@testable import ZohoBooks

@Suite struct DayTests {
    private static func purse(limit: Int = 1_000, remaining: Int, reset: Int = 3_600) -> Purse {
        let purse = Purse()
        purse.limits.callsPerMinute = nil
        purse.call(at: 0) {
            $0.dailyLimit = limit
            $0.dailyRemaining = remaining
            $0.dailyReset = reset
        }
        return purse
    }

    @Test func theRemainderIsKnownFromTheHeadersAndCountedDown() {
        let purse = Self.purse(remaining: 500)
        for _ in 0..<7 { purse.call(at: 1) }
        let snapshot = purse.budget.snapshot(limits: purse.limits, at: Purse.time(1))
        #expect(snapshot.remainingToday == 493)
        #expect(snapshot.dailyLimit == 1_000)
        #expect(snapshot.returnsAt == Purse.time(3_600))
    }

    @Test func backgroundWorkLeavesTheReserveToPeople() {
        let purse = Self.purse(remaining: 60)
        #expect(purse.calls(at: 1) == 10)
        #expect(purse.ask(at: 1) == .exhausted(until: Purse.time(3_600)))
        #expect(purse.calls(at: 1, .list, .interactive) == 50)
        #expect(purse.ask(at: 1, .list, .interactive) == .exhausted(until: Purse.time(3_600)))
    }

    @Test func theReserveIsAtMostATenthOfTheDay() {
        let purse = Self.purse(limit: 100, remaining: 60)
        #expect(purse.calls(at: 1) == 50)
    }

    @Test func theNextDayBeginsAtTheReset() {
        let purse = Self.purse(remaining: 0)
        #expect(purse.ask(at: 3_599) == .exhausted(until: Purse.time(3_600)))
        #expect(purse.call(at: 3_600))
        #expect(purse.budget.snapshot(limits: purse.limits, at: Purse.time(3_600)).remainingToday == nil)
    }

    @Test func withoutHeadersNothingIsHeldBack() {
        let purse = Purse()
        purse.limits.callsPerMinute = nil
        #expect(purse.calls(at: 0) == 1_000)
    }

    @Test func whatIsUnderWayIsNotInTheFigureYet() {
        let purse = Self.purse(remaining: 500)
        _ = purse.ask(at: 1)
        _ = purse.ask(at: 1)
        purse.call(at: 1) { $0.dailyRemaining = 400 }
        #expect(purse.budget.snapshot(limits: purse.limits, at: Purse.time(1)).remainingToday == 398)
    }

    @Test func aUsedUpDayPausesUntilTheHeadersTime() {
        let purse = Self.purse(remaining: 500, reset: 7_200)
        purse.call(at: 10, status: 429, code: 45) { $0.dailyReset = 600 }
        #expect(purse.ask(at: 11) == .exhausted(until: Purse.time(610)))
        #expect(purse.ask(at: 11, .list, .interactive) == .exhausted(until: Purse.time(610)))
        #expect(purse.budget.snapshot(limits: purse.limits, at: Purse.time(11)).remainingToday == 0)
        #expect(purse.call(at: 610))
    }

    @Test func aUsedUpDayWithoutAHeaderPausesUntilMidnight() {
        let purse = Purse()
        purse.call(at: 0, status: 429, code: 45)
        // 06:13:20 in UTC.
        #expect(purse.ask(at: 1) == .exhausted(until: Purse.time(64_000)))
    }

    @Test func aTimeThatHasPassedIsNoReset() {
        let purse = Self.purse(remaining: 500, reset: 100)
        guard case .go(let ticket) = purse.ask(at: 90) else { return }
        purse.budget.finish(ticket, CallOutcome(status: 429, code: 45), limits: purse.limits, at: Purse.time(110))
        #expect(purse.ask(at: 111) == .exhausted(until: Purse.time(64_000)))
    }

    @Test(arguments: [Int.max, .min, 0, -1, 1_772_000_000]) func absurdHeadersDoNoHarm(number: Int) {
        let purse = Purse()
        purse.call(at: 0) {
            $0.dailyLimit = number
            $0.dailyRemaining = number
            $0.dailyReset = number
            $0.retryAfter = .seconds(number)
        }
        for code in [0, 43, 44, 45, 1_070] {
            purse.budget = Budget()
            purse.call(at: 0, .detail, status: 429, code: code) {
                $0.dailyReset = number
                $0.retryAfter = .seconds(number)
            }
            #expect(purse.call(at: 90_000, .detail))
        }
    }
}
