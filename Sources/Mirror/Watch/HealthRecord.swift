import Database
import Foundation
package import ZohoBooks

/// A check's state as it was found last.
package struct HealthRecord: Sendable, Hashable {
    package let name: String
    /// `ok`, `warning` or `critical`.
    package var state: String
    /// In the check's own unit; -1 where the check cannot be made.
    package var figure: Double
    /// What it means and what to do; empty where all is well.
    package var advice: String
    /// The parts of the figure as a JSON object.
    package var parts: RawJSON?
    /// Microseconds since 1970.
    package var checkedAt: Int64
    /// When it came into this state, in microseconds since 1970.
    package var since: Int64
    /// What was told of it last, by the name of the target.
    package var told: [String: Told]

    /// What a target was told.
    package struct Told: Sendable, Hashable, Codable {
        /// `ok`, `warning` or `critical`.
        package let state: String
        /// Microseconds since 1970.
        package let at: Int64

        package init(state: String, at: Int64) {
            self.state = state
            self.at = at
        }
    }

    package init(
        name: String, state: String, figure: Double, advice: String, parts: RawJSON?, checkedAt: Int64, since: Int64,
        told: [String: Told] = [:]
    ) {
        self.name = name
        self.state = state
        self.figure = figure
        self.advice = advice
        self.parts = parts
        self.checkedAt = checkedAt
        self.since = since
        self.told = told
    }
}

extension Mirror {
    /// Every check that was ever made, by name.
    package func healthRecords() async throws -> [HealthRecord] {
        try await database.read { transaction in
            try transaction.query(
                """
                select name, state, figure, advice, parts, checked_at, since, told from sync_health order by name
                """
            ).compactMap { row in
                guard let name = row.text(0), let state = row.text(1), let advice = row.text(3),
                    let checkedAt = row.instant(5), let since = row.instant(6)
                else { return nil }
                return HealthRecord(
                    name: name, state: state, figure: row.decimal(2).flatMap { Double($0) } ?? 0, advice: advice,
                    parts: row.json(4).map { RawJSON($0) }, checkedAt: checkedAt, since: since,
                    told: row.json(7).flatMap {
                        try? JSONDecoder().decode([String: HealthRecord.Told].self, from: Data($0))
                    } ?? [:])
            }
        }
    }

    /// Keeps checks as they were found.
    package func save(_ records: [HealthRecord]) async throws {
        try await database.write { transaction in
            for record in records {
                try transaction.execute(
                    """
                    insert into sync_health (name, state, figure, advice, parts, checked_at, since, told)
                    values ($1, $2, $3, $4, $5, $6, $7, $8)
                    on conflict (name) do update set
                        state = excluded.state, figure = excluded.figure, advice = excluded.advice,
                        parts = excluded.parts, checked_at = excluded.checked_at, since = excluded.since,
                        told = excluded.told
                    """,
                    [
                        .text(record.name), .text(record.state), .decimal(record.figure.digits), .text(record.advice),
                        record.parts.map { .json($0.bytes) } ?? .null, .instant(record.checkedAt),
                        .instant(record.since), .json(ArraySlice(try JSONEncoder().encode(record.told))),
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
