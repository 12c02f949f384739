import Database

/// An open letter without its record.
package struct DueLetter: Sendable, Hashable {
    package let id: Int64
    package let entity: String
    /// The Zoho id, where the record has one.
    package let zohoID: String?
}

/// How a letter may be closed without a person.
package enum RetryStrategy: Sendable, Hashable, CaseIterable {
    /// The database refused the record, which Zoho would only repeat: it is applied again once the database may have
    /// been corrected, without a call.
    case applying
    /// Zoho or the network failed, not the record: it is requested again.
    case asking
    /// It could not be read as it came, and Zoho may have corrected it by now.
    case rereading

    fileprivate var condition: String {
        switch self {
        case .applying: "shape in ('list', 'detail') and code is not null"
        case .asking: "shape in ('mark', 'deletion')"
        case .rereading:
            "zoho_id is not null and (shape = 'delivery' or (shape in ('list', 'detail') and code is null))"
        }
    }
}

extension Mirror {
    /// Hours after which a letter is tried again, by how often it has failed; the last one is for all further times.
    private static let pauses: [Int64] = [1, 2, 4, 8, 16, 24]

    /// The letters that may be closed in some way, of each entity those that were not tried for longest.
    ///
    /// - Parameters:
    ///   - waits: whether to leave those out whose pause is not over.
    ///   - limit: how many of each entity.
    /// - Returns: the letters, and how many there are of all entities without the limit.
    package func dueLetters(
        by strategy: RetryStrategy, waits: Bool, limit: Int
    ) async throws -> (letters: [DueLetter], total: Int) {
        let time = now()
        let isDue = Self.pauses.indices.map { index in
            let attempts = index == 0 ? "<= 1" : index < Self.pauses.count - 1 ? "= \(index + 1)" : "> \(index)"
            return "attempts \(attempts) and last_failed_at <= $\(index + 2)"
        }
        return try await database.read { transaction in
            // Without a record, or a thousand of them would be in memory at once.
            let rows = try transaction.query(
                """
                select id, entity, zoho_id, total from (
                    select id, entity, zoho_id, last_failed_at, count(*) over () as total,
                        row_number() over (partition by entity order by last_failed_at, id) as place
                    from sync_dead_letters
                    where state = 'open' and \(strategy.condition)\(waits ? " and (\(isDue.joined(separator: " or ")))" : "")
                ) as due
                where place <= $1 order by entity, place
                """,
                [.integer(Int64(limit))]
                    + (waits ? Self.pauses.map { .instant(max(0, time - $0 * 3_600_000_000)) } : []))
            let letters = rows.compactMap { row -> DueLetter? in
                guard let id = row.int(0), let entity = row.text(1) else { return nil }
                return DueLetter(id: id, entity: entity, zohoID: row.text(2))
            }
            return (letters, rows.first?.int(3).map { Int($0) } ?? 0)
        }
    }

    /// The subset of these letters that is still open.
    package func openDeadLetters(of ids: [Int64]) async throws -> Set<Int64> {
        try await database.read { transaction in
            Set(
                try transaction.query(
                    "select id from sync_dead_letters where state = 'open' and \(transaction.dialect.contains("id", "$1"))",
                    [.integers(ids)]
                ).compactMap { $0.int(0) })
        }
    }
}
