import Database
package import ZohoBooks

/// A check's state as it was found last.
package struct HealthRecord: Sendable, Hashable {
    package let name: String
    /// `ok`, `warning` or `critical`.
    package var state: String
    package var figure: Double
    package var advice: String
    /// The parts of the figure as a JSON object.
    package var parts: RawJSON?
    /// Microseconds since 1970.
    package var checkedAt: Int64
    /// When it came into this state, in microseconds since 1970.
    package var since: Int64
    /// The state of which somebody has been told last.
    package var toldState: String
    /// Microseconds since 1970.
    package var toldAt: Int64?

    package init(
        name: String, state: String, figure: Double, advice: String, parts: RawJSON?, checkedAt: Int64, since: Int64,
        toldState: String = "ok", toldAt: Int64? = nil
    ) {
        self.name = name
        self.state = state
        self.figure = figure
        self.advice = advice
        self.parts = parts
        self.checkedAt = checkedAt
        self.since = since
        self.toldState = toldState
        self.toldAt = toldAt
    }
}

extension Mirror {
    /// Every check that was ever made, by name.
    package func healthRecords() async throws -> [HealthRecord] {
        try await database.read { transaction in
            try transaction.query(
                """
                select name, state, figure, advice, parts, checked_at, since, told_state, told_at
                from sync_health order by name
                """
            ).compactMap { row in
                guard let name = row.text(0), let state = row.text(1), let advice = row.text(3),
                    let checkedAt = row.instant(5), let since = row.instant(6), let told = row.text(7)
                else { return nil }
                return HealthRecord(
                    name: name, state: state, figure: row.decimal(2).flatMap { Double($0) } ?? 0, advice: advice,
                    parts: row.json(4).map { RawJSON($0) }, checkedAt: checkedAt, since: since, toldState: told,
                    toldAt: row.instant(8))
            }
        }
    }

    /// Keeps checks as they were found.
    package func save(_ records: [HealthRecord]) async throws {
        try await database.write { transaction in
            for record in records {
                try transaction.execute(
                    """
                    insert into sync_health (name, state, figure, advice, parts, checked_at, since, told_state, told_at)
                    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                    on conflict (name) do update set
                        state = excluded.state, figure = excluded.figure, advice = excluded.advice,
                        parts = excluded.parts, checked_at = excluded.checked_at, since = excluded.since,
                        told_state = excluded.told_state, told_at = excluded.told_at
                    """,
                    [
                        .text(record.name), .text(record.state), .decimal(record.figure.digits), .text(record.advice),
                        record.parts.map { .json($0.bytes) } ?? .null, .instant(record.checkedAt),
                        .instant(record.since), .text(record.toldState),
                        record.toldAt.map { .instant($0) } ?? .null,
                    ])
            }
        }
    }
}

extension Double {
    /// Up to three places, as a decimal without exponent.
    fileprivate var digits: String {
        guard isFinite, magnitude < 1e15 else { return "0" }
        let thousandths = Int64((self * 1_000).rounded())
        let (whole, rest) = thousandths.magnitude.quotientAndRemainder(dividingBy: 1_000)
        let fraction = rest == 0 ? "" : "." + String(String(rest + 1_000).dropFirst())
        return (thousandths < 0 ? "-" : "") + "\(whole)" + fraction
    }
}
