package import Catalog
import Database
package import ZohoBooks

/// A task of the schedule as it stands.
package struct ScheduleRecord: Sendable, Hashable {
    package let name: String
    /// Microseconds since 1970.
    package var dueAt: Int64
    package var startedAt: Int64?
    package var endedAt: Int64?
    /// What came of it last; nil before its first time.
    package var state: State?
    package var note: String?
    /// The trigger by which it is due, as text; nil where an older program has reckoned it.
    package var trigger: String?

    /// The states of a task; docs/states.md draws them.
    package enum State: String, Sendable, Hashable, CaseIterable {
        case running
        case completed
        case failed
        /// Something else was about its entities; it is tried again soon.
        case postponed
    }

    package init(
        name: String, dueAt: Int64, startedAt: Int64? = nil, endedAt: Int64? = nil, state: State? = nil,
        note: String? = nil, trigger: String? = nil
    ) {
        self.name = name
        self.dueAt = dueAt
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.state = state
        self.note = note
        self.trigger = trigger
    }
}

/// What healing has done once.
package struct HealingRecord: Sendable, Hashable {
    package let action: String
    package let reason: String
    package let state: State
    /// What came of it, for people.
    package let outcome: String
    package let changed: Int
    /// Microseconds since 1970.
    package let at: Int64

    /// How it ended; docs/states.md draws it.
    package enum State: String, Sendable, Hashable, CaseIterable {
        case done
        /// Something passing kept it from being done, so that the next time will do.
        case waiting
        case failed
        /// A person has to decide.
        case question

        /// Whether it is left to a person, to decide or to mend.
        package var isOpen: Bool { self == .failed || self == .question }
    }

    package init(action: String, reason: String, state: State, outcome: String, changed: Int, at: Int64) {
        self.action = action
        self.reason = reason
        self.state = state
        self.outcome = outcome
        self.changed = changed
        self.at = at
    }
}

extension Mirror {
    // MARK: - The schedule

    /// The tasks that have ever been due.
    package func scheduleRecords() async throws -> [ScheduleRecord] {
        try await database.read { transaction in
            try transaction.query(
                "select name, due_at, started_at, ended_at, state, note, due_by from sync_schedule order by name"
            ).compactMap { row in
                guard let name = row.text(0), let dueAt = row.instant(1) else { return nil }
                return ScheduleRecord(
                    name: name, dueAt: dueAt, startedAt: row.instant(2), endedAt: row.instant(3),
                    state: row.text(4).flatMap { ScheduleRecord.State(rawValue: $0) }, note: row.text(5),
                    trigger: row.text(6))
            }
        }
    }

    /// Keeps how a task stands.
    package func save(_ record: ScheduleRecord) async throws {
        @Sendable func instant(_ value: Int64?) -> SQLValue { value.map { .instant($0) } ?? .null }
        @Sendable func text(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                insert into sync_schedule (name, due_at, started_at, ended_at, state, note, due_by)
                values ($1, $2, $3, $4, $5, $6, $7)
                on conflict (name) do update set due_at = excluded.due_at, started_at = excluded.started_at,
                    ended_at = excluded.ended_at, state = excluded.state, note = excluded.note,
                    due_by = excluded.due_by
                """,
                [
                    .text(record.name), .instant(record.dueAt), instant(record.startedAt), instant(record.endedAt),
                    text(record.state?.rawValue), text(record.note), text(record.trigger),
                ])
        }
    }

    // MARK: - Healing

    /// Keeps what healing has done.
    package func record(_ healing: HealingRecord) async throws {
        try await database.write { transaction in
            let id = try transaction.reserveIDs(1, in: "sync_actions")[0]
            try transaction.execute(
                """
                insert into sync_actions (id, action, reason, state, outcome, changed, at)
                values ($1, $2, $3, $4, $5, $6, $7)
                """,
                [
                    .integer(id), .text(healing.action), .text(healing.reason), .text(healing.state.rawValue),
                    .text(healing.outcome), .integer(Int64(healing.changed)), .instant(healing.at),
                ])
        }
    }

    /// What healing has done, the newest first.
    package func healings(limit: Int = 20) async throws -> [HealingRecord] {
        try await database.read { transaction in
            try transaction.query(
                "select action, reason, state, outcome, changed, at from sync_actions order by id desc limit $1",
                [.integer(Int64(limit))]
            ).compactMap { row in
                guard let action = row.text(0), let reason = row.text(1),
                    let state = row.text(2).flatMap({ HealingRecord.State(rawValue: $0) }), let outcome = row.text(3),
                    let changed = row.int(4), let at = row.instant(5)
                else { return nil }
                return HealingRecord(
                    action: action, reason: reason, state: state, outcome: outcome, changed: Int(changed), at: at)
            }
        }
    }

    /// Marks records to be read again, unless they are marked already.
    ///
    /// - Parameter priority: whether the reserve of calls may be used for it.
    /// - Returns: how many were marked.
    package func mark(
        _ ids: [String], of mapping: EntityMapping, priority: CallPriority = .interactive
    ) async throws -> Int {
        let time = now()
        return try await database.write { transaction in
            let fresh = try transaction.withoutMarks(Set(ids), of: mapping.entity.name, priority)
            guard !fresh.isEmpty else { return 0 }
            let rowIDs = try transaction.reserveIDs(fresh.count, in: "sync_inbox")
            let rows = zip(rowIDs, fresh).map { rowID, id in
                Self.inboxRow(
                    id: rowID, entity: mapping.entity.name, .mark, zohoID: id, record: nil, receivedAt: time,
                    availableAt: time, requestID: nil, priority: priority)
            }
            try transaction.insert(rows, into: "sync_inbox", columns: Self.inboxColumns)
            try transaction.notify(Self.readingChannel)
            return fresh.count
        }
    }

    /// Those of some records that are marked to be read again.
    package func marked(_ ids: [String], of mapping: EntityMapping) async throws -> Set<String> {
        try await database.read { transaction in
            Set(
                try transaction.query(
                    """
                    select zoho_id from sync_inbox
                    where kind = 'mark' and entity = $1 and \(transaction.dialect.contains("zoho_id", "$2"))
                    """, [.text(mapping.entity.name), .texts(ids)]
                ).compactMap { $0.text(0) })
        }
    }

    // MARK: - Retention

    /// From when on things are kept, in microseconds since 1970.
    package struct Retention: Sendable, Hashable {
        /// Ended runs, closed dead letters, comparisons, healing, arrivals, and what waits in the inbox although a
        /// complete list has brought what is newer.
        ///
        /// The first complete run and the last run and comparison of each entity stay, and when a delivery was last heard
        /// of.
        package let history: Int64
        /// Entries of the change log, and with them the runs that brought them, so that these can be taken back as long.
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
