import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Mirror
@testable import Sync
@testable import ZohoBooks

@Suite("How long a phase takes, and what it says while it waits")
struct PhaseProgressTests {
    private static let time = Date(timeIntervalSince1970: 1_772_000_000)

    /// The budget under the documented limits after so many details were made at once, so many seconds ago.
    private static func budget(
        details: Int = 0, secondsAgo: Double = 0, _ change: (inout CallOutcome) -> Void = { _ in }
    ) -> BudgetSnapshot {
        let ledger = InMemoryCallLedger()
        let then = time.addingTimeInterval(-secondsAgo)
        for _ in 0..<details {
            guard case .go(let ticket) = ledger.reserve(.detail, .background, at: then) else { continue }
            var outcome = CallOutcome(status: 200, code: 0)
            change(&outcome)
            ledger.finish(ticket, outcome, at: then)
        }
        return ledger.snapshot(at: time)
    }

    private static func calls(_ count: Int, _ kind: CallKind = .detail, ahead: CallsToCome = .init()) -> CallsToCome {
        var calls = ahead
        calls.add(count, kind)
        return calls
    }

    @Test("Details take as long as their calls a minute make them wait, however fast a call is")
    func limited() {
        let fast = Duration.milliseconds(20)
        #expect(Self.calls(50).time(own: 50, Self.budget(), perCall: fast) == .seconds(1))
        #expect(Self.calls(166).time(own: 166, Self.budget(details: 26), perCall: fast) == .seconds(183))
        #expect(Self.calls(1).time(own: 1, Self.budget(details: 50, secondsAgo: 27), perCall: fast) == .seconds(34))
        #expect(Self.calls(50, .list).time(own: 50, Self.budget(details: 50), perCall: fast) == .seconds(1))
    }

    @Test("Calls of others that take turns come first, each as many as the phase's own at most")
    func turns() {
        let ahead = CallsToCome.before(166, of: [(120, .detail), (500, .detail), (3, .list)])
        #expect(ahead.total == 289 && ahead.details == 286)
        let all = Self.calls(166, ahead: ahead)
        #expect(all.time(own: 166, Self.budget(), perCall: nil) == .seconds(9 * 61))
    }

    @Test("Without limits, or where calls are slow, it is the calls themselves that take the time")
    func slow() {
        var unlimited = BudgetLimits()
        (unlimited.callsPerMinute, unlimited.detailCallsPerMinute) = (nil, nil)
        let free = InMemoryCallLedger(limits: unlimited).snapshot(at: Self.time)
        #expect(Self.calls(100).time(own: 100, free, perCall: .milliseconds(200)) == .seconds(20))
        #expect(Self.calls(10).time(own: 10, Self.budget(), perCall: .seconds(3)) == .seconds(30))
        #expect(Self.calls(10).time(own: 10, free, perCall: nil) == nil)
        #expect(Self.calls(10).time(own: 10, nil, perCall: .seconds(3)) == nil)
    }

    @Test("Where the day's calls end before, no time is told")
    func day() {
        let budget = Self.budget(details: 1) {
            ($0.dailyLimit, $0.dailyRemaining, $0.dailyReset) = (1_000, 150, 3_600)
        }
        #expect(Self.calls(100).time(own: 100, budget, perCall: .seconds(1)) != nil)
        #expect(Self.calls(101).time(own: 101, budget, perCall: .seconds(1)) == nil, "50 are the reserve")
    }

    @Test("A sync whose details wait says for how long, once each minute, and how far it has come")
    func waiting() async throws {
        var limits = BudgetLimits()
        limits.callsPerMinute = nil
        limits.detailCallsPerMinute = 12
        try await Rig.with(.sqlite, limits: limits) { rig in
            let told = Mutex<[SyncEvent]>([])
            try await rig.sync(
                ["invoices"], inFlight: 3,
                onEvent: { event in if event.phase == .details { told.withLock { $0.append(event) } } })
            let wait = try #require(told.withLock { $0.first { $0.waits != nil } })
            #expect(wait.entity == "invoices" && wait.expected == 30)
            #expect((9...12).contains(wait.done), "those that were read and not applied yet included")
            #expect(wait.callsLeftThisMinute == 0)
            #expect(try #require(wait.waits) > .seconds(30))
            #expect(try #require(wait.timeToGo) > .seconds(61))
            let last = try #require(told.withLock { $0.last })
            #expect(last.done == 30 && last.timeToGo == nil)
        }
    }

    @Test("A list that waits says so too, before its first page as well")
    func waitingList() async throws {
        var limits = BudgetLimits()
        limits.callsPerMinute = 1
        try await Rig.with(.sqlite, limits: limits) { rig in
            _ = try await rig.withClient { try await $0.page(1, of: ListRequest(path: "bills", listKey: "bills")) }
            let told = Mutex<[SyncEvent]>([])
            try await rig.sync(["products"]) {
                $0.includesDetails = false
            } onEvent: { event in
                if event.waits != nil { told.withLock { $0.append(event) } }
            }
            let wait = try #require(told.withLock { $0.first })
            #expect(wait.phase == .list && wait.entity == "products")
            #expect(wait.done == 0 && wait.expected == nil && wait.timeToGo == nil)
        }
    }
}
