package import Catalog
import Crypto
import Database
package import ZohoBooks

/// A record that could not be applied, kept whole until it is.
package struct DeadLetter: Sendable, Hashable {
    package let id: Int64
    package let entity: String
    /// The Zoho id, where the record has one.
    package let zohoID: String?
    package let shape: RecordShape
    package let record: RawJSON
    /// When Zoho said it, in microseconds since 1970.
    package let observedAt: Int64
    /// Why it could not be applied the last time.
    package let reason: String
    /// The database's own code, where it refused the record.
    package let code: String?
    package let attempts: Int
    package let firstFailedAt: Int64
    package let lastFailedAt: Int64
}

extension Mirror {
    /// The records that wait to be applied, oldest first.
    package func deadLetters(entity: String? = nil, limit: Int = 1_000) async throws -> [DeadLetter] {
        try await database.read { transaction in
            try transaction.query(
                """
                select id, entity, zoho_id, shape, record, observed_at, reason, code, attempts, first_failed_at,
                    last_failed_at
                from sync_dead_letters
                where state = 'open' and entity = coalesce($1, entity)
                order by id limit $2
                """, [entity.map { .text($0) } ?? .null, .integer(Int64(limit))]
            ).compactMap { DeadLetter($0) }
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

    /// Applies a dead letter again, with the time at which Zoho said it, so that a newer row stays.
    ///
    /// - Returns: the outcome; `failed` where it still cannot be applied and stays.
    package func retry(_ letter: DeadLetter) async throws -> Outcome {
        guard let mapping = Catalog.entity(named: letter.entity) else { return .failed }
        var batch = Batch(mapping, origin: .retry)
        batch.add(letter.record, shape: letter.shape, observedAt: letter.observedAt)
        let time = now()
        let result = try await apply(batch) { transaction, result in
            // A letter without an id is not found by the ids that were applied.
            guard result[.failed] == 0 else { return }
            try transaction.execute(
                "update sync_dead_letters set state = 'resolved', closed_at = $1 where id = $2 and state = 'open'",
                [.instant(time), .integer(letter.id)])
        }
        return result.counts.first { $0.value > 0 }?.key ?? .failed
    }
}

extension SQLTransaction {
    /// Keeps refused records, each once: a record that fails again replaces its letter and counts the attempt.
    func bury(_ records: [RejectedRecord], of entity: String, origin: Origin, time: Int64) throws {
        var runID = SQLValue.null
        if case .run(let id) = origin { runID = .integer(id) }
        for record in records {
            let digest = SHA256.hash(data: Array(record.raw.bytes)).prefix(16)
            let identity = record.id ?? digest.map { String($0, radix: 16) }.joined(separator: "-")
            try execute(
                """
                insert into sync_dead_letters (entity, identity, zoho_id, shape, record, observed_at, reason, code,
                    run_id, first_failed_at, last_failed_at)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
                on conflict (entity, identity) where state = 'open' do update set
                    shape = excluded.shape, record = excluded.record, observed_at = excluded.observed_at,
                    reason = excluded.reason, code = excluded.code, run_id = excluded.run_id,
                    attempts = sync_dead_letters.attempts + 1, last_failed_at = excluded.last_failed_at
                """,
                [
                    .text(entity), .text(identity), record.id.map { .text($0) } ?? .null,
                    .text(record.shape.rawValue), .bytes(Array(record.raw.bytes)), .instant(record.observedAt),
                    .text(record.reason), record.code.map { .text($0) } ?? .null, runID, .instant(time),
                ])
        }
    }

    /// Closes the letters of records that were applied after all.
    func resolveDeadLetters(of entity: String, ids: [String], time: Int64) throws {
        try execute(
            """
            update sync_dead_letters set state = 'resolved', closed_at = $1
            where entity = $2 and state = 'open' and \(dialect.contains("identity", "$3"))
            """, [.instant(time), .text(entity), .texts(ids)])
    }
}

extension DeadLetter {
    fileprivate init?(_ row: SQLRow) {
        guard let id = row.int(0), let entity = row.text(1), let shape = row.text(3).flatMap(RecordShape.init),
            let record = row.bytes(4), let observedAt = row.instant(5), let reason = row.text(6),
            let attempts = row.int(8), let firstFailedAt = row.instant(9), let lastFailedAt = row.instant(10)
        else { return nil }
        self.init(
            id: id, entity: entity, zohoID: row.text(2), shape: shape, record: RawJSON(record[...]),
            observedAt: observedAt, reason: reason, code: row.text(7), attempts: Int(attempts),
            firstFailedAt: firstFailedAt, lastFailedAt: lastFailedAt)
    }
}
