import Database
package import ZohoBooks

/// What one comparison of source and mirror found in one entity.
package struct Reconciliation: Sendable, Hashable {
    /// What a comparison came to.
    package enum State: String, Sendable, Hashable, Codable, CaseIterable {
        /// Source and mirror agree.
        case equal
        case different
        /// They differed, and every difference has been repaired.
        case repaired
        /// Not everything could be compared; the note says why.
        case incomplete
    }

    /// Ascending; 0 before it is recorded.
    package let id: Int64
    /// The reconciling run.
    package let runID: Int64
    package let entity: String
    package let state: State
    /// Microseconds since 1970.
    package let startedAt: Int64
    /// Microseconds since 1970.
    package let endedAt: Int64
    /// Records that the source's list showed, each counted once.
    package let listed: Int
    /// Rows whose columns were compared with the list.
    package let rowsCompared: Int
    /// Records whose details were compared.
    package let detailsCompared: Int
    /// Calls that were made for the module; 0 for its further entities.
    package let calls: Int
    /// Counts by kind, and the records with their fields, as a JSON object.
    package let drift: RawJSON
    /// Why not everything could be compared, for a person; nil where everything was.
    package let note: String?

    package init(
        id: Int64 = 0, runID: Int64, entity: String, state: State, startedAt: Int64, endedAt: Int64, listed: Int,
        rowsCompared: Int, detailsCompared: Int, calls: Int, drift: RawJSON, note: String?
    ) {
        self.id = id
        self.runID = runID
        self.entity = entity
        self.state = state
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.listed = listed
        self.rowsCompared = rowsCompared
        self.detailsCompared = detailsCompared
        self.calls = calls
        self.drift = drift
        self.note = note
    }

    /// Whether differences were to be repaired, so that what is left could not be.
    package var wasRepair: Bool {
        (try? drift.read { try $0.member("repairing")?.text() == "true" }) ?? false
    }

    /// Whether it ended because more rows are gone from the source than may be believed without a person.
    package var needsConsent: Bool {
        (try? drift.read { try $0.member("needs_consent")?.text() == "true" }) ?? false
    }

    /// Rows that seem to be gone at the source and about which a person has to decide.
    package var undecidedCount: Int { (try? drift.read { try number("undecided", in: $0.member("counts")) }) ?? 0 }

    /// How many records are known to differ and were not repaired.
    package var driftCount: Int {
        let count = try? drift.read { view -> Int in
            if let open = try view.member("open") { return try number(open) }
            // Kept by a version that did not count open differences separately.
            var sum = 0
            try view.member("counts")?.members { key, value in
                let kind = try JSONView.text(ofKey: key)
                guard !["duplicated", "moved", "outstanding", "unconfirmed", "unread"].contains(kind) else { return }
                sum += try number(value)
            }
            return sum
        }
        return count ?? 0
    }

    private func number(_ name: String, in counts: JSONView?) throws -> Int {
        try counts?.member(name).map { try number($0) } ?? 0
    }

    private func number(_ value: JSONView) throws -> Int { Int(try value.text()) ?? 0 }
}

extension Mirror {
    /// Keeps what a comparison found.
    package func record(_ found: Reconciliation) async throws {
        try await database.write { transaction in
            let id = try transaction.reserveIDs(1, in: "sync_reconciliations")[0]
            try transaction.execute(
                """
                insert into sync_reconciliations (id, run_id, entity, state, started_at, ended_at, listed,
                    rows_compared, details_compared, calls, drift, note)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                """,
                [
                    .integer(id), .integer(found.runID), .text(found.entity), .text(found.state.rawValue),
                    .instant(found.startedAt), .instant(found.endedAt), .integer(Int64(found.listed)),
                    .integer(Int64(found.rowsCompared)), .integer(Int64(found.detailsCompared)),
                    .integer(Int64(found.calls)), .json(found.drift.bytes), found.note.map { .text($0) } ?? .null,
                ])
        }
    }

    /// The newest comparisons first.
    package func reconciliations(entity: String? = nil, limit: Int = 20) async throws -> [Reconciliation] {
        try await database.read { transaction in
            try transaction.query(
                "\(Reconciliation.columns) where entity = coalesce($1, entity) order by id desc limit $2",
                [entity.map { .text($0) } ?? .null, .integer(Int64(limit))]
            ).compactMap { Reconciliation($0) }
        }
    }
}

extension Reconciliation {
    static let columns = """
        select id, run_id, entity, state, started_at, ended_at, listed, rows_compared, details_compared, calls, drift,
            note
        from sync_reconciliations
        """

    init?(_ row: SQLRow) {
        guard let id = row.int(0), let runID = row.int(1), let entity = row.text(2),
            let state = row.text(3).flatMap({ State(rawValue: $0) }), let startedAt = row.instant(4),
            let endedAt = row.instant(5), let drift = row.json(10)
        else { return nil }
        func number(_ index: Int) -> Int { Int(row.int(index) ?? 0) }
        self.init(
            id: id, runID: runID, entity: entity, state: state, startedAt: startedAt, endedAt: endedAt,
            listed: number(6), rowsCompared: number(7), detailsCompared: number(8), calls: number(9),
            drift: RawJSON(drift), note: row.text(11))
    }
}
