import Foundation
import Synchronization
import Testing

@testable import ZohoBooks

/// A ledger that counts what it is asked and, like a database, does nothing for a cancelled task.
private final class CountingLedger: CallLedger {
    private struct State {
        var asked = 0
        var finished = 0
        var decisions: [CallDecision] = []
    }

    private let budget: InMemoryCallLedger
    private let state = Mutex(State())

    init(inFlight: Int, first decisions: [CallDecision] = []) {
        var limits = BudgetLimits()
        limits.inFlight = inFlight
        budget = InMemoryCallLedger(limits: limits)
        state.withLock { $0.decisions = decisions }
    }

    var limits: BudgetLimits { budget.limits }
    var asked: Int { state.withLock { $0.asked } }
    var finished: Int { state.withLock { $0.finished } }

    func reserve(_ kind: CallKind, _ priority: CallPriority, at now: Date) async throws -> CallDecision {
        try Task.checkCancellation()
        let scripted = state.withLock { state in
            state.asked += 1
            return state.decisions.isEmpty ? nil : state.decisions.removeFirst()
        }
        return scripted ?? budget.reserve(kind, priority, at: now)
    }

    func finish(_ ticket: CallTicket, _ outcome: CallOutcome, at now: Date) async throws {
        try Task.checkCancellation()
        state.withLock { $0.finished += 1 }
        budget.finish(ticket, outcome, at: now)
    }

    func snapshot(at now: Date) async throws -> BudgetSnapshot { budget.snapshot(at: now) }
}

@Suite(.timeLimit(.minutes(30))) struct LeaveTests {
    @Test func waitersAreWokenAndNobodyPolls() async throws {
        let ledger = CountingLedger(inFlight: 3)
        let (inFlight, most) = (Shared(0), Shared(0))
        try await Script(
            ledger: ledger,
            calls: { _, _ in
                let now = inFlight.change {
                    $0 += 1
                    return $0
                }
                most.change { $0 = max($0, now) }
                for _ in 0..<20 { await Task.yield() }
                inFlight.change { $0 -= 1 }
                return .items
            }
        ).run { world in
            // Whoever slept would never wake.
            let client = world.another(sleep: { _ in await Places().wait(after: 0) })
            try await withThrowingTaskGroup { group in
                for _ in 0..<40 { group.addTask { _ = try await client.items() } }
                try await group.waitForAll()
            }
            #expect(world.zoho.calls.count == 40)
            #expect(most.value <= 3)
            // Once on arrival, once when woken, and now and then in vain.
            #expect(ledger.asked <= 120)
            #expect(ledger.finished == 40)
        }
    }

    @Test func placesOfAnotherProcessAreAskedForAtIntervals() async throws {
        var limits = BudgetLimits()
        limits.inFlight = 1
        let ledger = InMemoryCallLedger(limits: limits)
        try await Script(ledger: ledger).run { world in
            guard case .go(let ticket) = ledger.reserve(.list, .background, at: world.time.now) else { return }
            let polls = Shared(0)
            let client = world.another(sleep: { _ in
                let number = polls.change {
                    $0 += 1
                    return $0
                }
                if number == 3 { ledger.finish(ticket, CallOutcome(status: 200, code: 0), at: world.time.now) }
            })
            _ = try await client.items()
            #expect(polls.value == 3)
        }
    }

    @Test func aCancelledCallGivesItsPlaceBack() async throws {
        let ledger = CountingLedger(inFlight: 1)
        let (arrived, released) = (Gate(), Gate())
        try await Script(
            ledger: ledger,
            calls: { _, number in
                guard number == 1 else { return .items }
                arrived.open()
                await released.wait()
                return .items
            }
        ).run { world in
            let call = Task { try await world.items() }
            await arrived.wait()
            let next = Task { try await world.items() }
            try await until { world.client.places.waiting == 1 }
            call.cancel()
            #expect(try await failure { _ = try await call.value }.kind == .cancelled)
            _ = try await next.value
            released.open()
            #expect(ledger.finished == 2)
            #expect(world.time.sleeps.isEmpty)
        }
    }

    @Test func aCancelledWaiterEndsAtOnceAndTheOthersGoOn() async throws {
        let (arrived, released) = (Gate(), Gate())
        try await Script(
            ledger: CountingLedger(inFlight: 1),
            calls: { _, _ in
                arrived.open()
                await released.wait()
                return .items
            }
        ).run { world in
            let first = Task { try await world.items() }
            await arrived.wait()
            let second = Task { try await world.items() }
            try await until { world.client.places.waiting == 1 }
            let third = Task { try await world.items() }
            try await until { world.client.places.waiting == 2 }
            second.cancel()
            #expect(try await failure { _ = try await second.value }.kind == .cancelled)
            released.open()
            _ = try await (first.value, third.value)
            #expect(world.zoho.calls.count == 2)
            #expect(world.client.places.taken == 0)
        }
    }

    /// The woken one has to wait for the minute; the place must not stay empty until that is over.
    @Test func aPlaceThatCannotBeUsedGoesToTheNext() async throws {
        let ledger = CountingLedger(
            inFlight: 1, first: [.busy(underWay: 0), .busy(underWay: 0), .wait(.seconds(30))])
        try await Script(ledger: ledger).run { world in
            _ = try await world.client.tokens.token()
            let paused = Gate()
            let client = world.another(sleep: { _ in await paused.wait() })
            let first = Task { try await client.items() }
            try await until { client.places.waiting == 1 }
            let second = Task { try await client.items() }
            try await until { client.places.waiting == 2 }
            client.places.wakeNext()
            _ = try await second.value
            paused.open()
            _ = try await first.value
        }
    }

    @Test func aPauseThatIsTooLongIsNotWaitedOut() async throws {
        let ledger = CountingLedger(inFlight: 1, first: [.wait(.seconds(151))])
        try await Script(ledger: ledger).run { world in
            let until = world.time.now.addingTimeInterval(151)
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .unavailable(until: until))
        }
    }

    @Test(arguments: [(429, 44), (200, 44), (429, 43), (429, 0)])
    func aThrottledCallWaitsAndIsMadeAgain(status: Int, code: Int) async throws {
        try await Script(calls: { $1 == 1 ? .refusal(status, code) : .items }).run { world in
            _ = try await world.items()
            #expect(world.time.sleeps == [.seconds(60)])
        }
    }

    @Test func tooManyAtOnceAreMadeAgainWithJitter() async throws {
        try await Script(calls: { $1 < 3 ? .refusal(429, 1_070) : .items }).run { world in
            _ = try await world.items()
            #expect(Array(world.time.sleeps.prefix(1)) == [.milliseconds(750)])
            #expect(world.time.sleeps.contains(.milliseconds(1_500)))
            #expect(world.time.sleeps.reduce(.zero, +) < .seconds(6))
        }
    }

    @Test func aThrottleThatDoesNotEndIsAnError() async throws {
        try await Script(calls: { _, _ in .refusal(429, 44) }).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .throttled)
            #expect(error.concernsEveryCall)
            #expect(world.zoho.calls.count == 9)
        }
    }

    @Test func theDaysEndStopsAllCallsUntilTheReset() async throws {
        try await Script(calls: { _, number in
            number == 1 ? .refusal(429, 45, headers: ["X-Rate-Limit-Reset": "600"]) : .items
        }).run { world in
            let until = world.time.now.addingTimeInterval(600)
            for _ in 0..<3 {
                let error = try await failure { _ = try await world.items() }
                #expect(error.kind == .quota(until: until))
                #expect(error.description.contains("2026-02-25T06:23:20Z"))
            }
            #expect(world.zoho.calls.count == 1)
            world.time.advance(by: 600)
            _ = try await world.items()
        }
    }

    @Test func theHeadersTellTheBudget() async throws {
        let headers = ["X-RATE-LIMIT-LIMIT": "1000", "x-rate-limit-remaining": "879", "x-rate-limit-reset": "20421"]
        try await Script(calls: { _, _ in
            .json(#"{"code":0,"items":[]}"#, headers: headers)
        }).run { world in
            _ = try await world.items()
            let budget = try await world.client.budget()
            #expect(budget.dailyLimit == 1_000 && budget.remainingToday == 879 && budget.remainingThisMinute == 99)
            #expect(budget.returnsAt == world.time.now.addingTimeInterval(20_421))
        }
    }
}
