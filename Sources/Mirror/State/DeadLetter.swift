import Catalog
import Crypto
import Database
package import ZohoBooks

/// A record that could not be applied, kept whole until it is.
package struct DeadLetter: Sendable, Hashable {
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
    package let attempts: Int
    package let firstFailedAt: Int64
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
        /// It waits in the inbox again; a running `zohosync serve` goes on with it.
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
    /// Why a letter was closed that waits in the inbox again.
    fileprivate static let queued = "queued again"
    /// Microseconds for which a letter that comes back after it was queued again goes on counting its attempts.
    fileprivate static let memory: Int64 = 3 * 86_400_000_000

    private static let letterColumns = """
        id, entity, zoho_id, shape, record, observed_at, reason, code, attempts, first_failed_at, last_failed_at,
        request_id, webhook, event, content_type
        """

    /// The records that wait to be applied, oldest first.
    ///
    /// - Parameters:
    ///   - after: only letters with a higher id.
    ///   - bytes: ends with the letter whose record reaches so many in all.
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

    /// Applies all letters again that are open, one part after the other, so that few are in memory at once.
    ///
    /// - Returns: how many ended in each way.
    package func retryDeadLetters(entity: String? = nil) async throws -> [DeadLetter.Retry: Int] {
        var outcomes: [DeadLetter.Retry: Int] = [:]
        var after: Int64 = 0
        while true {
            let letters = try await deadLetters(entity: entity, after: after, limit: 200, bytes: Self.partBytes)
            guard let last = letters.last else { return outcomes }
            for letter in letters { outcomes[try await retry(letter), default: 0] += 1 }
            after = last.id
        }
    }

    /// Bytes of records that are worked on at once; the last one may go beyond.
    package static let partBytes = 8 << 20

    /// Applies a dead letter again, with the time at which Zoho said it, so that a newer row stays.
    ///
    /// - Parameter priority: whether the reserve of calls may be used where it has to be read.
    /// - Returns: the outcome, `failed` where it still cannot be applied and stays; or that it is queued.
    package func retry(
        _ letter: DeadLetter, priority: CallPriority = .interactive
    ) async throws -> DeadLetter.Retry {
        guard let mapping = Catalog.entity(named: letter.entity) else { return .applied(.failed) }
        switch letter.form {
        case .list: return .applied(try await apply(letter.record, .list, of: mapping, letter))
        case .detail: return .applied(try await apply(letter.record, .detail, of: mapping, letter))
        case .mark:
            return try await queue(
                [(.mark, Delivery(mapping, id: letter.zohoID ?? "", record: nil))], letter, priority)
        case .deletion:
            let record = letter.record.bytes.isEmpty ? nil : letter.record
            return try await queue(
                [(.deletion, Delivery(mapping, id: letter.zohoID ?? "", record: record))], letter, priority)
        case .delivery:
            let webhook =
                letter.source.flatMap { Catalog.webhook(named: $0.webhook) }
                ?? Webhook(name: mapping.entity.name, recordsOf: mapping)
            let body = WebhookBody(Array(letter.record.bytes), contentType: letter.source?.contentType)
            guard let deliveries = try? webhook.read(body.json) else { return .applied(.failed) }
            let work = deliveries.map {
                (InboxEntry.Kind($0, of: webhook, isDeletion: letter.source?.isDeletion ?? false), $0)
            }
            guard work.count == 1, let (kind, delivery) = work.first, kind == .record, let record = delivery.record
            else { return try await queue(work, letter, priority) }
            return .applied(try await apply(record, .detail, of: delivery.mapping, letter))
        }
    }

    private func apply(
        _ record: RawJSON, _ shape: RecordShape, of mapping: EntityMapping, _ letter: DeadLetter
    ) async throws -> Outcome {
        var batch = Batch(mapping, origin: .retry)
        batch.add(record, shape: shape, observedAt: letter.observedAt)
        let time = now()
        let result = try await apply(batch) { transaction, result in
            // A letter without an id is not found by the ids that were applied.
            guard result[.failed] == 0 else { return }
            try transaction.closeDeadLetters([letter.id], .resolved, time: time)
        }
        return result.counts.first { $0.value > 0 }?.key ?? .failed
    }

    private func queue(
        _ work: [(kind: InboxEntry.Kind, delivery: Delivery)], _ letter: DeadLetter, _ priority: CallPriority
    ) async throws -> DeadLetter.Retry {
        let time = now()
        try await database.write { transaction in
            let rows = zip(try transaction.reserveIDs(work.count, in: "sync_inbox"), work).map { id, work in
                Self.inboxRow(
                    id: id, entity: work.delivery.mapping.entity.name, work.kind, zohoID: work.delivery.id,
                    record: work.delivery.record, receivedAt: letter.observedAt, availableAt: time,
                    requestID: letter.requestID, priority: priority)
            }
            try transaction.insert(rows, into: "sync_inbox", columns: Self.inboxColumns)
            try transaction.closeDeadLetters([letter.id], .resolved, reason: Self.queued, time: time)
            for channel in Set(work.map(\.kind.channel)) { try transaction.notify(channel) }
        }
        return .queued
    }
}

/// What a dead letter is made of.
struct LetterContent {
    let entity: String
    let zohoID: String?
    let form: DeadLetter.Form
    let record: [UInt8]
    /// Microseconds since 1970.
    let observedAt: Int64
    let reason: String
    var code: String?
    var runID: Int64?
    var deliveryID: Int64?
    var requestID: String?
    var source: DeliverySource?

    /// What tells it from the entity's other letters: the record's id, else its bytes and what they came to say.
    var identity: String {
        // Of what cannot be read nobody knows whether it says the same as another body.
        guard let zohoID, form != .delivery else {
            let hash = SHA256.hash(data: record).prefix(16).map { String($0, radix: 16) }.joined(separator: "-")
            return ([hash] + [source?.webhook, event].compactMap(\.self)).joined(separator: " ")
        }
        // A record that could not be applied and one that could not be read are two matters.
        return form == .mark || form == .deletion ? "\(form.rawValue) \(zohoID)" : zohoID
    }

    fileprivate var event: String? { source?.isDeletion == true ? DeadLetter.deletionEvent : nil }
}

extension SQLTransaction {
    /// Keeps refused records, each once: a record that fails again replaces its letter and counts the attempt.
    func bury(_ records: [RejectedRecord], of entity: String, origin: Origin, time: Int64) throws -> [Refusal] {
        try records.map { record in
            let delivery = record.id.flatMap { origin.delivery(of: $0) }
            let letter = try bury(
                LetterContent(
                    entity: entity, zohoID: record.id, form: record.shape == .list ? .list : .detail,
                    record: Array(record.raw.bytes), observedAt: record.observedAt, reason: record.reason,
                    code: record.code, runID: origin.runID, deliveryID: delivery?.id, requestID: delivery?.requestID),
                time: time)
            return Refusal(zohoID: record.id, letter: letter, reason: record.reason)
        }
    }

    /// Keeps one letter.
    ///
    /// - Returns: its id.
    func bury(_ letter: LetterContent, time: Int64) throws -> Int64 {
        try query(
            """
            insert into sync_dead_letters (entity, identity, zoho_id, shape, record, observed_at, reason, code, run_id,
                delivery_id, request_id, webhook, event, content_type, first_failed_at, last_failed_at, attempts)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $15, $16, $17, $12, $12, 1 + coalesce((
                select attempts from sync_dead_letters
                where entity = $1 and identity = $2 and close_reason = $13 and closed_at > $14
                order by id desc limit 1), 0))
            on conflict (entity, identity) where state = 'open' do update set
                shape = excluded.shape, record = excluded.record, observed_at = excluded.observed_at,
                reason = excluded.reason, code = excluded.code, run_id = excluded.run_id,
                delivery_id = excluded.delivery_id, request_id = excluded.request_id, webhook = excluded.webhook,
                event = excluded.event, content_type = excluded.content_type,
                attempts = sync_dead_letters.attempts + 1, last_failed_at = excluded.last_failed_at
            returning id
            """,
            [
                .text(letter.entity), .text(letter.identity), letter.zohoID.map { .text($0) } ?? .null,
                .text(letter.form.rawValue), .bytes(letter.record), .instant(letter.observedAt), .text(letter.reason),
                letter.code.map { .text($0) } ?? .null, letter.runID.map { .integer($0) } ?? .null,
                letter.deliveryID.map { .integer($0) } ?? .null, letter.requestID.map { .text($0) } ?? .null,
                .instant(time), .text(Mirror.queued), .instant(time - Mirror.memory),
                letter.source.map { .text($0.webhook) } ?? .null, letter.event.map { .text($0) } ?? .null,
                letter.source?.contentType.map { .text($0) } ?? .null,
            ]
        ).first?.int(0) ?? 0
    }
}

extension DeadLetter {
    /// What is noted of a delivery that came to say that a record is gone.
    fileprivate static let deletionEvent = "deleted"

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
