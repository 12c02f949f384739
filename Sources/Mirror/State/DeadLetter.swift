import Database
package import ZohoBooks

/// A record that could not be applied, kept whole until it is.
package struct DeadLetter: Sendable, Hashable {
    /// By which it is retried or discarded; a record that fails again keeps it.
    package let id: Int64
    package let entity: String
    /// The Zoho id, where the record has one.
    package let zohoID: String?
    package let form: Form
    /// As it came; empty for a mark.
    package let record: RawJSON
    /// When Zoho said it, in microseconds since 1970.
    package let observedAt: Int64
    /// Why it could not be applied the last time.
    package let reason: String
    /// The database's own code, where it refused the record.
    package let code: String?
    /// How often it has failed, from 1.
    package let attempts: Int
    /// Microseconds since 1970.
    package let firstFailedAt: Int64
    /// Microseconds since 1970.
    package let lastFailedAt: Int64
    /// The request that brought it, where it was a delivery.
    package let requestID: String?
    /// How it came, where it is the body of a delivery.
    package let source: DeliverySource?

    /// What is kept.
    package enum Form: String, Sendable, Hashable {
        /// A row of a list.
        case list
        /// A complete record.
        case detail
        /// The body of a delivery that could not be read.
        case delivery
        /// A delivery which said that the record is gone, and could not be confirmed.
        case deletion
        /// A record that was to be read again, and could not be.
        case mark
    }

    /// The states of a letter; docs/states.md draws them.
    ///
    /// `open` becomes one of the others. What fails again after that is another letter.
    package enum State: String, Sendable, Hashable, CaseIterable {
        case open
        /// It was applied after all, is gone at the source, or waits in the inbox again.
        case resolved
        /// Nobody wants to apply it any more.
        case discarded
    }

    /// What trying again led to.
    package enum Retry: Sendable, Hashable {
        case applied(Outcome)
        /// It waits in the inbox again, for a running `zohosync serve`.
        case queued

        /// As machines are told.
        package var text: String {
            switch self {
            case .applied(let outcome): outcome.rawValue
            case .queued: "queued"
            }
        }
    }
}

extension Mirror {
    private static let letterColumns = """
        id, entity, zoho_id, shape, record, observed_at, reason, code, attempts, first_failed_at, last_failed_at,
        request_id, webhook, event, content_type
        """

    /// The records that wait to be applied, oldest first.
    ///
    /// - Parameters:
    ///   - after: only letters with a higher id.
    ///   - bytes: ends with the letter whose record brings the total to this many.
    package func deadLetters(
        entity: String? = nil, after: Int64 = 0, limit: Int = 1_000, bytes: Int = .max
    ) async throws -> [DeadLetter] {
        try await database.read { transaction in
            // Sizes first: whole records are not carried through the sum.
            try transaction.query(
                """
                select \(Self.letterColumns) from sync_dead_letters
                where id in (
                    select id from (
                        select id, sum(bytes) over (order by id) - bytes as earlier from (
                            select id, length(record) as bytes from sync_dead_letters
                            where state = 'open' and entity = coalesce($1, entity) and id > $2
                            order by id limit $3
                        ) as page
                    ) as sized
                    where earlier < $4
                )
                order by id
                """,
                [
                    entity.map { .text($0) } ?? .null, .integer(after), .integer(Int64(limit)),
                    .integer(Int64(bytes)),
                ]
            ).compactMap { DeadLetter($0) }
        }
    }

    /// The open letter with this id, or nil where there is none.
    package func deadLetter(_ id: Int64) async throws -> DeadLetter? {
        try await database.read { transaction in
            try transaction.query(
                "select \(Self.letterColumns) from sync_dead_letters where state = 'open' and id = $1", [.integer(id)]
            ).first.flatMap { DeadLetter($0) }
        }
    }

    /// Closes a letter that nobody wants to apply any more; it stays in its table.
    ///
    /// - Returns: false where there is no such open letter.
    package func discardDeadLetter(_ id: Int64, reason: String) async throws -> Bool {
        let time = now()
        return try await database.write { transaction in
            try transaction.closeDeadLetters([id], .discarded, reason: reason, time: time) > 0
        }
    }

    /// How many records wait to be applied.
    package func deadLetterCount(entity: String? = nil) async throws -> Int {
        try await database.read { transaction in
            try transaction.query(
                "select count(*) from sync_dead_letters where state = 'open' and entity = coalesce($1, entity)",
                [entity.map { .text($0) } ?? .null]
            ).first?.int(0).map { Int($0) } ?? 0
        }
    }

}

extension DeadLetter {
    fileprivate init?(_ row: SQLRow) {
        guard let id = row.int(0), let entity = row.text(1), let form = row.text(3).flatMap(Form.init),
            let record = row.bytes(4), let observedAt = row.instant(5), let reason = row.text(6),
            let attempts = row.int(8), let firstFailedAt = row.instant(9), let lastFailedAt = row.instant(10)
        else { return nil }
        self.init(
            id: id, entity: entity, zohoID: row.text(2), form: form, record: RawJSON(record[...]),
            observedAt: observedAt, reason: reason, code: row.text(7), attempts: Int(attempts),
            firstFailedAt: firstFailedAt, lastFailedAt: lastFailedAt,
            requestID: row.text(11),
            source: row.text(12).map {
                DeliverySource(
                    webhook: $0, isDeletion: row.text(13) == Self.deletionEvent, contentType: row.text(14))
            })
    }
}
