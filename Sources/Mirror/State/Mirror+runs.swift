package import Catalog
package import Database
import ZohoBooks

extension Mirror {
    /// Begins a run and marks what a dead process left running as interrupted.
    ///
    /// The caller holds the lease. A run whose own holder has it stays as it is.
    ///
    /// - Parameters:
    ///   - options: the run's options as a JSON object.
    ///   - holder: who runs it, as its lease says.
    package func beginRun(
        of entity: String, kind: Run.Kind, options: String, holder: String
    ) async throws -> Run {
        let time = now()
        return try await database.write { transaction in
            try transaction.execute(
                """
                update sync_runs set state = 'interrupted', finished_at = $1,
                    last_error = 'The process ended without finishing the run.'
                where entity = $2 and state = 'running' and not exists (
                    select 1 from sync_leases l
                    where l.name = $3 and l.holder = sync_runs.holder and l.holder <> $4 and l.expires_at > $5)
                """,
                [
                    .instant(time), .text(entity), .text(Lease.name(of: entity)), .text(holder),
                    .instant(try leaseTime(transaction)),
                ])
            let id = try transaction.reserveIDs(1, in: "sync_runs")[0]
            try transaction.execute(
                """
                insert into sync_runs (id, entity, kind, state, options, holder, started_at)
                values ($1, $2, $3, 'running', $4, $5, $6)
                """,
                [
                    .integer(id), .text(entity), .text(kind.rawValue), .json(ArraySlice(options.utf8)), .text(holder),
                    .instant(time),
                ])
            return Run(
                id: id, entity: entity, kind: kind, state: .running, startedAt: time, finishedAt: nil,
                progress: .init(), lastError: nil)
        }
    }

    /// Ends runs that are marked as running although nobody holds their entity's lease.
    ///
    /// Leases of entities that have lapsed are removed, so that a process that was only slow cannot continue such a
    /// run.
    ///
    /// - Returns: how many.
    package func endAbandonedRuns() async throws -> Int {
        let time = now()
        return try await database.write { transaction in
            let leaseTime = try leaseTime(transaction)
            let ended = try transaction.execute(
                """
                update sync_runs set state = 'interrupted', finished_at = $1,
                    last_error = 'The process ended without finishing the run.'
                where state = 'running' and not exists (
                    select 1 from sync_leases where name = $2 || sync_runs.entity and expires_at > $3)
                """, [.instant(time), .text(Lease.prefix), .instant(leaseTime)])
            try transaction.execute(
                "delete from sync_leases where name like $1 and expires_at <= $2",
                [.text("\(Lease.prefix)%"), .instant(leaseTime)])
            return ended
        }
    }

    /// Ends the runs of a holder that has lost its leases, also those that another process has ended meanwhile.
    package func interruptRuns(of holder: String, error: String) async throws {
        let time = now()
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                update sync_runs set state = 'interrupted', finished_at = coalesce(finished_at, $1), last_error = $2
                where holder = $3 and state in ('running', 'interrupted')
                """, [.instant(time), .text(error), .text(holder)])
        }
    }

    /// Records how a run ended.
    ///
    /// A run that was taken for abandoned meanwhile stays interrupted, and its cursor is not kept: another run may have
    /// gone on from there.
    ///
    /// - Parameter cursor: the resume point of an interrupted list, where that is further than the committed pages say.
    package func finish(_ run: Run, _ state: Run.State, error: String? = nil, cursor: Cursor? = nil) async throws {
        let time = now()
        try await database.write { transaction in
            let isRunning =
                try transaction.execute(
                    """
                    update sync_runs set state = $1, finished_at = $2, last_error = $3
                    where id = $4 and state = 'running'
                    """, [.text(state.rawValue), .instant(time), error.map { .text($0) } ?? .null, .integer(run.id)])
                > 0
            if isRunning, let cursor { try transaction.save(cursor) }
            try transaction.record(run.progress, of: run.id)
            try transaction.noteMissed(by: run)
        }
    }

    /// The newest runs first.
    ///
    /// - Parameter before: only runs with a lower id.
    package func runs(
        entity: String? = nil, state: Run.State? = nil, before: Int64? = nil, limit: Int = 20
    ) async throws -> [Run] {
        try await database.read { transaction in
            try transaction.query(
                """
                \(Self.runColumns)
                where entity = coalesce($1, entity) and state = coalesce($2, state) and id < $3
                order by id desc limit $4
                """,
                [
                    entity.map { .text($0) } ?? .null, state.map { .text($0.rawValue) } ?? .null,
                    .integer(before ?? .max), .integer(Int64(limit)),
                ]
            ).compactMap { Run($0) }
        }
    }

    /// The run that keeps others from an entity: its own, or where that has not begun yet, the newest run of the holder
    /// of its lease.
    package func runningRun(of entity: String) async throws -> Run? {
        try await database.read { transaction in
            try transaction.query(
                """
                \(Self.runColumns) where state = 'running' and (
                    entity = $1 or holder = (select holder from sync_leases where name = $2))
                order by case when entity = $1 then 0 else 1 end, id desc limit 1
                """, [.text(entity), .text(Lease.name(of: entity))]
            ).first.flatMap { Run($0) }
        }
    }

    /// The run with this id, or nil where there is none.
    package func run(_ id: Int64) async throws -> Run? {
        try await database.read { transaction in
            try transaction.query("\(Self.runColumns) where id = $1", [.integer(id)]).first.flatMap { Run($0) }
        }
    }

    static let runColumns = """
        select id, entity, kind, state, started_at, finished_at, fetched, inserted, updated, unchanged, stale,
            deleted, restored, failed, skipped, calls, pages, details, details_outstanding, list_milliseconds,
            detail_milliseconds, last_error, field_faults
        from sync_runs
        """

    /// How many runs there were and how many calls they made, by entity and state.
    package func runTotals() async throws -> [(entity: String, state: String, runs: Int, calls: Int)] {
        try await database.read { transaction in
            try transaction.query(
                """
                select entity, state, count(*), cast(sum(calls) as bigint) from sync_runs
                group by entity, state order by entity, state
                """
            ).map { ($0.text(0) ?? "", $0.text(1) ?? "", Int($0.int(2) ?? 0), Int($0.int(3) ?? 0)) }
        }
    }

    /// How many rows an entity has, with those marked as deleted counted separately.
    package func rowCounts(of mapping: EntityMapping) async throws -> (present: Int, deleted: Int) {
        try await database.read { transaction in
            let row = try transaction.query(
                "select count(*), count(deleted_at) from \(mapping.entity.name)"
            ).first
            let (all, deleted) = (Int(row?.int(0) ?? 0), Int(row?.int(1) ?? 0))
            return (all - deleted, deleted)
        }
    }
}

extension SQLTransaction {
    /// Adds what this transaction does to what the run has done, so that both commit together and parallel commits all
    /// count.
    package func add(_ progress: Run.Progress, to runID: Int64) throws {
        let counters = progress.counters
        let additions = counters.enumerated().map { "\($1.column) = \($1.column) + $\($0 + 4)" }.joined(separator: ", ")
        try send(
            "update sync_runs set \(additions), list_milliseconds = $2, detail_milliseconds = $3 where id = $1",
            [
                .integer(runID), .integer(Int64(progress.listMilliseconds)),
                .integer(Int64(progress.detailMilliseconds)),
            ] + counters.map { .integer(Int64($0.value)) })
        guard progress.faults.count > 0 else { return }
        // The run's row is locked by now, so that nobody else's faults are lost.
        let row = try query("select field_faults from sync_runs where id = $1", [.integer(runID)]).first
        var faults = row?.json(0).flatMap { FaultSummary(RawJSON($0)) } ?? FaultSummary()
        faults.add(progress.faults)
        try execute(
            "update sync_runs set field_faults = $1 where id = $2",
            [faults.json.map { .json($0) } ?? .null, .integer(runID)])
    }

    /// Writes what a run has done.
    fileprivate func record(_ progress: Run.Progress, of runID: Int64) throws {
        let counters = progress.counters
        let assignments = counters.enumerated().map { "\($1.column) = $\($0 + 6)" }.joined(separator: ", ")
        try execute(
            """
            update sync_runs set \(assignments), list_milliseconds = $2, detail_milliseconds = $3,
                details_outstanding = $4, field_faults = coalesce($5, field_faults)
            where id = $1
            """,
            [
                .integer(runID), .integer(Int64(progress.listMilliseconds)),
                .integer(Int64(progress.detailMilliseconds)),
                progress.detailsOutstanding.map { .integer(Int64($0)) } ?? .null,
                progress.faults.json.map { .json($0) } ?? .null,
            ] + counters.map { .integer(Int64($0.value)) })
    }
}

extension Run.Progress {
    fileprivate static let outcomes: [Outcome] = [
        .inserted, .updated, .unchanged, .stale, .deleted, .restored, .failed,
    ]

    /// What is counted, by the column that holds it.
    fileprivate var counters: [(column: String, value: Int)] {
        [("fetched", fetched)] + Self.outcomes.map { ($0.rawValue, self[$0]) }
            + [("skipped", skipped), ("calls", calls), ("pages", pages), ("details", details)]
    }
}

extension FaultSummary {
    /// Reads what ``json`` wrote; nil for anything else.
    init?(_ json: RawJSON) {
        let entries = try? json.read { view in
            var entries: [(field: String, entry: Entry)] = []
            try view.members { key, value in
                var entry = Entry()
                if case .integer(let count)? = try value.member("count").flatMap({ FieldValue.integer(from: $0) }) {
                    entry.count = Int(count)
                }
                try value.member("examples")?.members { id, reason in
                    entry.examples.append((try JSONView.text(ofKey: id), try reason.text()))
                }
                entries.append((try JSONView.text(ofKey: key), entry))
            }
            return entries
        }
        guard let entries else { return nil }
        self.init(entries)
    }

    /// The summary as a JSON object by field.
    ///
    /// `{"due_date":{"count":2,"examples":{"34600…":"\"27 Dec 2016\" is not a date as YYYY-MM-DD"}}}`
    var json: ArraySlice<UInt8>? {
        guard !fields.isEmpty else { return nil }
        let members = fields.sorted { $0.key < $1.key }.map { field, entry in
            let examples = entry.examples.map { "\(CanonicalJSON.quoted($0.id)):\(CanonicalJSON.quoted($0.reason))" }
                .joined(separator: ",")
            return "\(CanonicalJSON.quoted(field)):{\"count\":\(entry.count),\"examples\":{\(examples)}}"
        }
        return ArraySlice("{\(members.joined(separator: ","))}".utf8)
    }
}

extension Run {
    init?(_ row: SQLRow) {
        guard let id = row.int(0), let entity = row.text(1), let kind = row.text(2).flatMap({ Kind(rawValue: $0) }),
            let state = row.text(3).flatMap({ State(rawValue: $0) }), let startedAt = row.instant(4)
        else { return nil }
        func number(_ index: Int) -> Int { Int(row.int(index) ?? 0) }
        var progress = Progress()
        progress.fetched = number(6)
        for (offset, outcome) in Progress.outcomes.enumerated() { progress.counts[outcome] = number(7 + offset) }
        progress.skipped = number(14)
        progress.calls = number(15)
        progress.pages = number(16)
        progress.details = number(17)
        progress.detailsOutstanding = row.int(18).map { Int($0) }
        progress.listMilliseconds = number(19)
        progress.detailMilliseconds = number(20)
        progress.faults = row.json(22).flatMap { FaultSummary(RawJSON($0)) } ?? FaultSummary()
        self.init(
            id: id, entity: entity, kind: kind, state: state, startedAt: startedAt, finishedAt: row.instant(5),
            progress: progress, lastError: row.text(21))
    }
}
