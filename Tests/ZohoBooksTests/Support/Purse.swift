import Foundation

@testable import ZohoBooks

/// A budget in the hands of a test, with its time in seconds.
final class Purse {
    var budget = Budget()
    var limits = BudgetLimits()

    static func time(_ second: Double) -> Date { Date(timeIntervalSince1970: 1_772_000_000 + second) }

    func ask(
        at second: Double, _ kind: CallKind = .list, _ priority: CallPriority = .background
    ) -> CallDecision {
        budget.reserve(kind, priority, limits: limits, at: Self.time(second))
    }

    /// Makes a call and hands its ticket back at once.
    @discardableResult
    func call(
        at second: Double, _ kind: CallKind = .list, _ priority: CallPriority = .background, status: Int = 200,
        code: Int = 0, _ change: (inout CallOutcome) -> Void = { _ in }
    ) -> Bool {
        guard case .go(let ticket) = ask(at: second, kind, priority) else { return false }
        var outcome = CallOutcome(status: status, code: code)
        change(&outcome)
        budget.finish(ticket, outcome, limits: limits, at: Self.time(second))
        return true
    }

    /// How many calls are allowed at one instant.
    func calls(at second: Double, _ kind: CallKind = .list, _ priority: CallPriority = .background) -> Int {
        var count = 0
        while count < 1_000, call(at: second, kind, priority) { count += 1 }
        return count
    }
}
