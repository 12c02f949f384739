import Database

extension Mirror {
    /// Since when things are kept, in microseconds since 1970.
    package struct Retention: Sendable, Hashable {
        /// Ended runs, closed dead letters, comparisons, healing, arrivals, and what waits in the inbox although a
        /// complete list has brought what is newer.
        ///
        /// The first complete run and the last run and comparison of each entity stay, and when a delivery was last
        /// heard of.
        package let history: Int64
        /// Entries of the change log, and with them the runs that brought them, so that these can be undone for as
        /// long.
        package let changes: Int64

        package init(history: Int64, changes: Int64) {
            self.history = history
            self.changes = changes
        }

        /// Which rows go, by table; `$1` is when.
        fileprivate var conditions: [(table: String, condition: String, before: Int64)] {
            [
                ("sync_changes", "changed_at < $1", changes),
                (
                    "sync_runs",
                    // What it looks for in the log is answered by the index on its runs.
                    """
                    finished_at < $1 and id not in (select max(id) from sync_runs group by entity)
                        and id not in (
                            select min(id) from sync_runs where state in ('completed', 'partial') group by entity)
                        and not exists (select 1 from sync_changes c where c.run_id = sync_runs.id)
                    """, history
                ),
                ("sync_dead_letters", "state <> 'open' and closed_at < $1", history),
                (
                    "sync_reconciliations",
                    "ended_at < $1 and id not in (select max(id) from sync_reconciliations group by entity)", history
                ),
                ("sync_actions", "at < $1", history),
                (
                    "sync_arrivals",
                    """
                    last_at < $1 and (kind not in ('received', 'missed') or day < (
                        select max(n.day) from sync_arrivals n
                        where n.kind = sync_arrivals.kind and n.subject = sync_arrivals.subject))
                    """, history
                ),
                (
                    "sync_inbox",
                    """
                    received_at < $1 and exists (
                        select 1 from sync_cursors c
                        where c.entity = sync_inbox.entity and c.listed_at > sync_inbox.received_at)
                    """, history
                ),
            ]
        }
    }

    /// The number of rows beyond their retention, by table; tables without any are left out.
    package func count(olderThan retention: Retention) async throws -> [String: Int] {
        try await database.read { transaction in
            var counts: [String: Int] = [:]
            for (table, condition, before) in retention.conditions {
                let row = try transaction.query(
                    "select count(*) from \(table) where \(condition)", [.instant(before)]
                ).first
                if let count = row?.int(0), count > 0 { counts[table] = Int(count) }
            }
            return counts
        }
    }

    /// Removes what is beyond its retention, a part at a time, so that nobody waits long for the tables.
    ///
    /// - Returns: the number of rows by table; tables of which nothing was removed are left out.
    package func prune(olderThan retention: Retention) async throws -> [String: Int] {
        var removed: [String: Int] = [:]
        for (table, condition, before) in retention.conditions {
            let key = table == "sync_arrivals" ? "kind || subject || day" : "id"
            while true {
                let number = try await database.write { transaction in
                    let delete = """
                        delete from \(table) where \(key) in (
                            select \(key) from \(table) where \(condition) limit \(Self.pruneSize))
                        """
                    guard table == "sync_changes" else { return try transaction.execute(delete, [.instant(before)]) }
                    let ids = try transaction.query(delete + " returning id", [.instant(before)]).compactMap {
                        $0.int(0)
                    }
                    try transaction.noteRemovedChanges(ids)
                    return ids.count
                }
                if number > 0 { removed[table, default: 0] += number }
                if number < Self.pruneSize { break }
            }
        }
        return removed
    }

    private static var pruneSize: Int { 5_000 }
}
