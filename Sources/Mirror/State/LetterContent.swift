import Catalog
import Crypto
import Database
import ZohoBooks

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

    var event: String? { source?.isDeletion == true ? DeadLetter.deletionEvent : nil }
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
                .instant(time), .text(DeadLetter.queued), .instant(time - DeadLetter.attemptRetention),
                letter.source.map { .text($0.webhook) } ?? .null, letter.event.map { .text($0) } ?? .null,
                letter.source?.contentType.map { .text($0) } ?? .null,
            ]
        ).first?.int(0) ?? 0
    }
}

extension DeadLetter {
    /// Why a letter that waits in the inbox again was closed.
    static let queued = "queued again"
    /// Microseconds for which a letter that was queued again keeps its count of attempts, should it come back.
    static let attemptRetention: Int64 = 3 * Timestamp.day
    /// What is noted of a delivery that came to say that a record is gone.
    static let deletionEvent = "deleted"
}
