import Synchronization

public import struct Foundation.Date

/// Where the one budget of an organisation is kept: in memory, or in a row that all processes on a mirror share.
public protocol CallLedger: Sendable {
    /// How many calls it allows, as far as it is ours to say.
    var limits: BudgetLimits { get }

    /// Asks for one call.
    func reserve(_ kind: CallKind, _ priority: CallPriority, at now: Date) async throws -> CallDecision

    /// Hands a call's ticket back with its outcome.
    func finish(_ ticket: CallTicket, _ outcome: CallOutcome, at now: Date) async throws

    /// What is left.
    func snapshot(at now: Date) async throws -> BudgetSnapshot
}

/// A budget for one process.
public final class InMemoryCallLedger: CallLedger {
    private let budget = Mutex(Budget())
    /// How many calls it allows.
    public let limits: BudgetLimits

    /// Begins with nothing made.
    public init(limits: BudgetLimits = BudgetLimits()) {
        self.limits = limits
    }

    /// Asks the budget for leave.
    public func reserve(_ kind: CallKind, _ priority: CallPriority, at now: Date) -> CallDecision {
        budget.withLock { $0.reserve(kind, priority, limits: limits, at: now) }
    }

    /// Gives the place in flight back and counts the outcome.
    public func finish(_ ticket: CallTicket, _ outcome: CallOutcome, at now: Date) {
        budget.withLock { $0.finish(ticket, outcome, limits: limits, at: now) }
    }

    /// The budget as it stands.
    public func snapshot(at now: Date) -> BudgetSnapshot {
        budget.withLock { $0.snapshot(limits: limits, at: now) }
    }
}
