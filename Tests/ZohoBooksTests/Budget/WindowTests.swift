import Testing

@testable import ZohoBooks

@Suite("How long the minute's limits make so many calls wait")
struct WindowTests {
    /// The window of details, and of all calls, at a second.
    private func windows(_ purse: Purse, at second: Double) -> (details: CallWindow, all: CallWindow) {
        let snapshot = purse.budget.snapshot(limits: purse.limits, at: Purse.time(second))
        return (snapshot.details, snapshot.calls)
    }

    @Test("Without calls made, a minute's are free, and each further minute's come after it")
    func empty() {
        let (details, all) = windows(Purse(), at: 0)
        #expect(details.left == 50 && all.left == 100)
        #expect(details.seconds(until: 50) == 0)
        #expect(details.seconds(until: 51) == 61)
        #expect(details.seconds(until: 192) == 183)
        #expect(all.seconds(until: 100) == 0)
        #expect(all.seconds(until: 0) == 0)
    }

    @Test("Calls that were made come back in their order, as the budget lets them")
    func sliding() {
        let purse = Purse()
        for second in 0..<30 { purse.call(at: Double(second), .detail) }
        #expect(purse.calls(at: 40, .detail) == 20)
        let (details, all) = windows(purse, at: 50)
        #expect(details.left == 0 && all.left == 50)
        #expect(details.seconds(until: 1) == 11)
        #expect(purse.ask(at: 50, .detail) == .wait(.seconds(11)))
        #expect(details.seconds(until: 30) == 40)
        #expect(details.seconds(until: 31) == 51)
        #expect(details.seconds(until: 51) == 72)
    }

    @Test("Calls under way are free a minute after they have ended")
    func underWay() {
        let purse = Purse()
        purse.limits.callsPerMinute = 2
        _ = purse.ask(at: 0)
        let (_, all) = windows(purse, at: 5)
        #expect(all.left == 1)
        #expect(all.seconds(until: 2) == 61)
    }

    @Test("A pause and a lowered pace count")
    func refused() {
        let purse = Purse()
        purse.call(at: 0, status: 429, code: 44)
        let (_, all) = windows(purse, at: 10)
        #expect(all.left == 0)
        #expect(all.seconds(until: 1) == 50)
        #expect(all.seconds(until: 76) == 111, "three quarters of a hundred in a minute")
        purse.call(at: 70, .detail, status: 429, code: 43)
        let (details, _) = windows(purse, at: 75)
        #expect(details.left == 0)
        #expect(details.seconds(until: 26) - details.seconds(until: 1) == 61, "half the pace for details")
    }

    @Test("Without limits nothing waits")
    func unlimited() {
        let purse = Purse()
        purse.limits.callsPerMinute = nil
        purse.limits.detailCallsPerMinute = nil
        let (details, all) = windows(purse, at: 0)
        #expect(details.left == nil && all.left == nil)
        #expect(details.seconds(until: 1_000) == 0)
    }
}
