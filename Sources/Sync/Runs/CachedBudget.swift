import Synchronization
import ZohoBooks

/// The budget as progress shows it, read at most every 80 ms: a fast sync reports more pages than anybody can read, and
/// each reading of the budget costs a transaction.
final class CachedBudget: Sendable {
    private let client: ZohoBooksClient
    private let last = Mutex<(budget: BudgetSnapshot?, at: Duration)?>(nil)

    private static let interval: Duration = .milliseconds(80)

    init(_ client: ZohoBooksClient) {
        self.client = client
    }

    /// The budget as it was at most 80 ms ago.
    ///
    /// - Parameter time: since some moment, the same in each call.
    func budget(at time: Duration) async -> BudgetSnapshot? {
        if let last = last.withLock({ $0 }), time - last.at < Self.interval { return last.budget }
        let budget = try? await client.budget()
        last.withLock { $0 = (budget, time) }
        return budget
    }
}
