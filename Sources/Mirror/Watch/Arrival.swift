import Database

/// How many deliveries of one sort came on one day.
package struct Arrival: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Stored; the subject is the entity.
        case received
        /// Not signed as it must be; the subject is the webhook.
        case refused
        /// Stored as a dead letter; the subject is the webhook.
        case unreadable
        /// To a path that nobody serves, which is the subject.
        case unknownPath = "unknown_path"
    }

    package let kind: Kind
    package let subject: String
    /// `YYYY-MM-DD`, in UTC.
    package let day: String
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
    /// Adds what has come to the counts of its days.
    package func add(_ arrivals: [Arrival]) async throws {
        guard !arrivals.isEmpty else { return }
        try await database.write { transaction in
            // One order for all processes, so that none waits for the other.
            for arrival in arrivals.sorted(by: { ($0.kind.rawValue, $0.subject) < ($1.kind.rawValue, $1.subject) }) {
                try transaction.execute(
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
        }
    }

    /// What has come since, in microseconds since 1970: each day's counts that reach beyond it.
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

    /// Changes that a run found and no delivery had announced, by entity: how many records, and when the last.
    ///
    /// What an entity's first run loads is not counted, nor are details that its rows still lacked.
    ///
    /// - Parameter since: microseconds since 1970.
    package func unannouncedChanges(since: Int64) async throws -> [String: (records: Int, lastAt: Int64)] {
        try await database.read { transaction in
            let rows = try transaction.query(
                """
                -- The runs first: few change anything, and the log of changes has no index on its time.
                with loaded as materialized (
                    select entity, min(finished_at) as at from sync_runs
                    where pages > 0 and state in ('completed', 'partial') group by entity
                ), found as materialized (
                    select r.id from sync_runs r join loaded l on l.entity = r.entity
                    where r.kind <> 'undo' and r.started_at > l.at
                        and (r.finished_at >= $1 or r.finished_at is null)
                        and (r.state = 'running' or r.inserted + r.updated + r.deleted + r.restored > 0)
                )
                select c.entity, count(distinct c.zoho_id), max(c.changed_at)
                from found f join sync_changes c on c.run_id = f.id
                where c.changed_at >= $1
                    and (c.kind <> 'updated' or \(transaction.dialect.hasKey("c.changes", "zoho_modified_at")))
                group by c.entity
                """, [.instant(since)])
            var changes: [String: (records: Int, lastAt: Int64)] = [:]
            for row in rows {
                guard let entity = row.text(0), let number = row.int(1), let last = row.instant(2) else { continue }
                changes[entity] = (Int(number), last)
            }
            return changes
        }
    }
}
