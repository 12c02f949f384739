import Database
package import Foundation
package import ZohoBooks

/// Keeps the call budget in the mirror, so that all processes on it stay inside one.
package struct MirrorCallLedger: CallLedger {
    private let mirror: Mirror
    package let limits: BudgetLimits
    private let holder: String
    private let isDead: @Sendable (String) -> Bool

    /// - Parameters:
    ///   - holder: this process, so that others can tell whose calls are under way.
    ///   - isDead: tells of another holder whether it is known to have ended, so that its calls no longer count.
    package init(
        _ mirror: Mirror, limits: BudgetLimits, holder: String = "",
        isDead: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        self.mirror = mirror
        self.limits = limits
        self.holder = holder
        self.isDead = isDead
    }

    package func reserve(
        _ kind: CallKind, _ priority: CallPriority, at now: Date
    ) async throws -> CallDecision {
        try await step { [limits, holder, isDead] budget in
            let decision = budget.reserve(kind, priority, holder: holder, limits: limits, at: now)
            guard case .busy = decision else { return decision }
            budget.release(of: { $0 != holder && isDead($0) }, limits: limits, at: now)
            return budget.reserve(kind, priority, holder: holder, limits: limits, at: now)
        }
    }

    package func finish(_ ticket: CallTicket, _ outcome: CallOutcome, at now: Date) async throws {
        try await step { [limits] in $0.finish(ticket, outcome, limits: limits, at: now) }
    }

    package func snapshot(at now: Date) async throws -> BudgetSnapshot {
        let budget = try await mirror.database.read { try Self.stored($0, isLocking: false) }
        return (budget ?? Budget()).snapshot(limits: limits, at: now)
    }

    /// Reads, steps and writes the budget in one transaction.
    private func step<T: Sendable>(_ body: @escaping @Sendable (inout Budget) -> T) async throws -> T {
        try await mirror.database.write { transaction in
            var budget = try Self.stored(transaction, isLocking: true) ?? Budget()
            let before = budget
            let result = body(&budget)
            if budget != before {
                let json = Array(try JSONEncoder().encode(budget))
                try transaction.send(
                    """
                    insert into sync_budget (singleton, state) values (1, $1)
                    on conflict (singleton) do update set state = excluded.state
                    """, [.json(json[...])])
            }
            return result
        }
    }

    private static func stored(_ transaction: any SQLTransaction, isLocking: Bool) throws -> Budget? {
        let lock = isLocking ? transaction.dialect.forUpdate : ""
        return try transaction.query("select state from sync_budget\(lock)").first?.json(0)
            .flatMap { try? JSONDecoder().decode(Budget.self, from: Data($0)) }
    }
}
