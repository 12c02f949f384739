import Database
package import Foundation
package import ZohoBooks

/// Keeps the call budget in the mirror, so that all processes on it stay inside one.
package struct MirrorCallLedger: CallLedger {
    private let mirror: Mirror
    private let limits: BudgetLimits

    package init(_ mirror: Mirror, limits: BudgetLimits) {
        self.mirror = mirror
        self.limits = limits
    }

    package func reserve(
        _ kind: CallKind, _ priority: CallPriority, at now: Date
    ) async throws -> CallDecision {
        let limits = limits
        return try await step { $0.reserve(kind, priority, limits: limits, at: now) }
    }

    package func finish(_ ticket: CallTicket, _ outcome: CallOutcome, at now: Date) async throws {
        let limits = limits
        try await step { $0.finish(ticket, outcome, limits: limits, at: now) }
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
                try transaction.execute(
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
