import Database

/// The state of the work on all entities, read in one transaction, so that no run seems to be without its lease.
package struct WorkState: Sendable {
    /// The leases that there are, lapsed ones included.
    package var leases: [Lease] = []
    /// By entity, when the last complete list began, in microseconds since 1970.
    package var listedAt: [String: Int64] = [:]
    /// The last run of each entity.
    package var runs: [String: Run] = [:]
    /// The last comparison of each entity.
    package var comparisons: [String: Reconciliation] = [:]
    /// Entities whose module the organisation did not have when it was read last.
    package var absent: Set<String> = []
}

extension Mirror {
    /// The state of the work on all entities.
    package func workState() async throws -> WorkState {
        try await database.read { transaction in
            var state = WorkState()
            state.leases = try leases(transaction)
            for row in try transaction.query("select entity, listed_at from sync_cursors where listed_at is not null") {
                if let entity = row.text(0) { state.listedAt[entity] = row.instant(1) }
            }
            let runs = try transaction.query(
                "\(Self.runColumns) where id in (select max(id) from sync_runs group by entity)")
            for run in runs.compactMap({ Run($0) }) { state.runs[run.entity] = run }
            let comparisons = try transaction.query(
                "\(Reconciliation.columns) where id in (select max(id) from sync_reconciliations group by entity)")
            for found in comparisons.compactMap({ Reconciliation($0) }) { state.comparisons[found.entity] = found }
            // A completed run that read no list and says why: the organisation did not have the module.
            let absent = try transaction.query(
                """
                select entity from sync_runs where state = 'completed' and last_error is not null and pages = 0 and fetched = 0
                    and id in (select max(id) from sync_runs where kind in ('full', 'incremental') group by entity)
                """)
            state.absent = Set(absent.compactMap { $0.text(0) })
            return state
        }
    }
}
