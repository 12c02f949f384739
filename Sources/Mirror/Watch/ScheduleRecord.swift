import Database

/// A task of the schedule as it stands.
package struct ScheduleRecord: Sendable, Hashable {
    /// The task's name: `incremental customers vendors`.
    package let name: String
    /// Microseconds since 1970.
    package var dueAt: Int64
    /// When it last began, in microseconds since 1970.
    package var startedAt: Int64?
    /// When it last ended, in microseconds since 1970.
    package var endedAt: Int64?
    /// What came of it last; nil before its first time.
    package var state: State?
    /// What it did or why it failed, for people.
    package var note: String?
    /// The trigger by which it is due, as text; nil where an older program wrote the record.
    package var trigger: String?

    /// The states of a task; docs/states.md draws them.
    package enum State: String, Sendable, Hashable, CaseIterable {
        case running
        case completed
        case failed
        /// Another run held its entities; it is tried again soon.
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

extension Mirror {
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
}
