import Database

/// How many deliveries of one kind came, or failed to come, on one day.
package struct Arrival: Sendable, Hashable {
    /// What is counted.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Stored; the subject is the entity whose record came, or the webhook where it only marks what has changed.
        case received
        /// A change that a run found and no delivery had announced; the subject is the entity.
        case missed
        /// Not signed as it must be; the subject is the webhook.
        case refused
        /// Larger than is taken, or broken off before its end; the subject is the webhook.
        case turnedAway = "turned_away"
        /// Stored as a dead letter; the subject is the webhook.
        case unreadable
        /// To a path that nobody serves, which is the subject.
        case unknownPath = "unknown_path"
    }

    package let kind: Kind
    /// What it is counted for; see ``Kind``.
    package let subject: String
    /// `YYYY-MM-DD`, in UTC.
    package let day: String
    /// How many on that day.
    package let number: Int
    /// Microseconds since 1970.
    package let lastAt: Int64

    package init(kind: Kind, subject: String, day: String, number: Int, lastAt: Int64) {
        self.kind = kind
        self.subject = subject
        self.day = day
        self.number = number
        self.lastAt = lastAt
    }
}

extension Mirror {
    /// Adds deliveries to the counts of their days.
    package func add(_ arrivals: [Arrival]) async throws {
        guard !arrivals.isEmpty else { return }
        try await database.write { transaction in
            // One order for all processes, so that none waits for the other.
            for arrival in arrivals.sorted(by: { ($0.kind.rawValue, $0.subject) < ($1.kind.rawValue, $1.subject) }) {
                try transaction.add(arrival)
            }
        }
    }

    /// The daily counts that reach beyond a time, in microseconds since 1970.
    package func arrivals(since: Int64) async throws -> [Arrival] {
        try await database.read { transaction in
            try transaction.query(
                """
                select kind, subject, day, number, last_at from sync_arrivals where last_at >= $1
                order by kind, subject, day
                """, [.instant(since)]
            ).compactMap { row in
                guard let kind = row.text(0).flatMap({ Arrival.Kind(rawValue: $0) }), let subject = row.text(1),
                    let day = row.date(2), let number = row.int(3), let lastAt = row.instant(4)
                else { return nil }
                return Arrival(kind: kind, subject: subject, day: day, number: Int(number), lastAt: lastAt)
            }
        }
    }

    /// Changes that runs found and no delivery had announced, by entity: how many records, and when the last.
    ///
    /// - Parameter since: microseconds since 1970.
    package func unannouncedChanges(since: Int64) async throws -> [String: (records: Int, lastAt: Int64)] {
        try await arrivals(since: since).filter { $0.kind == .missed }.reduce(into: [:]) { changes, missed in
            let known = changes[missed.subject] ?? (0, 0)
            changes[missed.subject] = (known.records + missed.number, max(known.lastAt, missed.lastAt))
        }
    }
}

extension SQLTransaction {
    /// Adds deliveries to the count of their day.
    fileprivate func add(_ arrival: Arrival) throws {
        try execute(
            """
            insert into sync_arrivals (kind, subject, day, number, last_at) values ($1, $2, $3, $4, $5)
            on conflict (kind, subject, day) do update set
                number = sync_arrivals.number + excluded.number, last_at = excluded.last_at
            """,
            [
                .text(arrival.kind.rawValue), .text(arrival.subject), .date(arrival.day),
                .integer(Int64(arrival.number)), .instant(arrival.lastAt),
            ])
    }

    /// Counts the changes that an ending run has found and no delivery had announced.
    ///
    /// What an entity's first complete run loads is not counted, nor what the first one after an undo brings back, nor
    /// are details that its rows still lacked.
    func noteMissed(by run: Run) throws {
        guard run.kind != .undo, run.progress.changed > 0 else { return }
        let found = try query(
            """
            select count(distinct zoho_id), max(changed_at) from sync_changes
            where run_id = $1 and (kind <> 'updated' or \(dialect.hasKey("changes", "zoho_modified_at")))
                and exists (
                    select 1 from sync_runs
                    where entity = $2 and (pages > 0 or fetched > 0) and state in ('completed', 'partial') and finished_at < $3
                        and id > coalesce((select max(id) from sync_runs where entity = $2 and kind = 'undo'), 0))
            """, [.integer(run.id), .text(run.entity), .instant(run.startedAt)]
        ).first
        guard let number = found?.int(0), number > 0, let lastAt = found?.instant(1) else { return }
        try add(
            Arrival(
                kind: .missed, subject: run.entity, day: String(Timestamp.text(lastAt).prefix(10)),
                number: Int(number), lastAt: lastAt))
    }
}
