import Catalog
import Foundation
import Mirror
import ZohoBooks

/// The calls of the day that details, comparisons and healing leave to the lists of syncs.
///
/// They may take days, and stock and prices must not stand still for so long.
enum KeptCalls {
    /// How many calls are left beside them: 0 or less where all are kept, `Int.max` where Zoho has not told how many
    /// there are.
    ///
    /// - Parameters:
    ///   - sweep: calls that one incremental sweep of everything takes.
    ///   - time: microseconds since 1970.
    static func spare(of budget: BudgetSnapshot, sweep: Int, at time: Int64) -> Int {
        guard let left = budget.remainingToday, let returnsAt = budget.returnsAt else { return .max }
        let seconds = returnsAt.timeIntervalSince1970 - Double(time) / 1_000_000
        // What was left of a day that is over says nothing of this one.
        guard seconds > 0 else { return .max }
        return left - budget.reserve - forLists(sweep: sweep, seconds: seconds, plan: budget.dailyLimit)
    }

    /// How many are kept: one sweep of all lists for each hour until calls return, and at most a third of the plan.
    ///
    /// - Parameters:
    ///   - sweep: calls that one incremental sweep of everything takes.
    ///   - seconds: until the day's calls return.
    ///   - plan: calls that the plan allows a day; nil where that is not known.
    static func forLists(sweep: Int, seconds: Double, plan: Int?) -> Int {
        let hours = Int((min(max(0, seconds), 86_400) / 3_600).rounded(.up))
        return min(sweep * hours, (plan ?? .max) / 3)
    }

    /// Calls that one incremental sweep of everything takes, as far as the last lists tell.
    static func sweep(of mirror: Mirror) async throws -> Int {
        var pages = 0
        for mappings in Catalog.entities.byModule {
            let cursor = try await mirror.cursor(of: mappings[0].entity.name)
            pages += mappings[0].entity.module.pagesOfSweep(
                records: cursor.listCount ?? 0, isFilterHonoured: cursor.filterHonoured)
        }
        return pages
    }
}

extension Module {
    /// Pages that an incremental list reads where little has changed.
    ///
    /// - Parameter isFilterHonoured: whether the list honours `last_modified_time`; nil where nobody has asked.
    func pagesOfSweep(records: Int, isFilterHonoured: Bool?) -> Int {
        let isShort: Bool =
            switch modifiedFilter {
            case .documented, .sorted: true
            case .probed: isFilterHonoured == true
            case .never: false
            }
        return isShort ? 1 : PagePlan.pages(for: records)
    }
}
