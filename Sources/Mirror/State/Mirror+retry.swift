import Catalog
import Database
package import ZohoBooks

extension Mirror {
    /// Retries all open letters, in parts, so that few are in memory at once.
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
            try transaction.closeDeadLetters([letter.id], .resolved, reason: DeadLetter.queued, time: time)
            for channel in Set(work.map(\.kind.channel)) { try transaction.notify(channel) }
        }
        return .queued
    }
}
