package import Catalog
package import ZohoBooks

/// Who brings a change to the mirror.
package enum Origin: Sendable, Hashable {
    case run(Int64)
    /// Webhook deliveries, by the id of the record.
    ///
    /// Deliveries overtake each other and come twice, so that what one says is not always what Zoho said last.
    case deliveries([String: DeliveryReference])
    /// Records that were read because deliveries asked for it, by their ids.
    case reading([String: DeliveryReference])
    /// A dead letter that is applied again.
    case retry
    /// Records that a comparison has read by themselves, asked for at that time, in microseconds since 1970.
    ///
    /// What the row says of itself, its content hash and its times, may be what is wrong with it and decides nothing,
    /// unless Zoho's word reached it since.
    case repair(run: Int64, askedAt: Int64)

    /// The delivery that brings a record or asked for it.
    func delivery(of id: String) -> DeliveryReference? {
        switch self {
        case .deliveries(let references), .reading(let references): references[id]
        case .run, .retry, .repair: nil
        }
    }

    var runID: Int64? {
        switch self {
        case .run(let id), .repair(let id, _): id
        case .deliveries, .reading, .retry: nil
        }
    }

    /// Whether a record counts whatever the row says of itself.
    ///
    /// - Parameters:
    ///   - observedAt: when Zoho last said something of the row, as the row says, in microseconds since 1970.
    ///   - time: the present; nothing can have been said later.
    func overrides(observedAt: Int64, at time: Int64) -> Bool {
        guard case .repair(_, let askedAt) = self else { return false }
        return observedAt <= askedAt || observedAt > time
    }

    /// Whether the inbox holds on to what brought the records until they are applied.
    var isFromInbox: Bool {
        switch self {
        case .deliveries, .reading: true
        case .run, .retry, .repair: false
        }
    }

    var isDelivery: Bool {
        if case .deliveries = self { true } else { false }
    }

    /// Whether the records answer calls of our own, which are made after the lists.
    fileprivate var isAskedFor: Bool {
        switch self {
        case .run, .reading, .repair: true
        case .deliveries, .retry: false
        }
    }
}

/// A delivery as what it brought is traced back to it.
package struct DeliveryReference: Sendable, Hashable {
    /// Its id in the inbox.
    package let id: Int64
    /// The request that brought it.
    package let requestID: String?

    package init(id: Int64, requestID: String?) {
        self.id = id
        self.requestID = requestID
    }
}

/// Records of one entity that are applied in one transaction.
package struct Batch: Sendable {
    package let mapping: EntityMapping
    package var records: [MappedRecord]
    /// Records that could not become rows; they are kept as dead letters in the same transaction.
    package var rejected: [RejectedRecord]
    package let origin: Origin

    package init(_ mapping: EntityMapping, origin: Origin) {
        self.mapping = mapping
        self.origin = origin
        self.records = []
        self.rejected = []
    }

    /// Maps a record and adds it, or keeps it as rejected where it cannot become rows.
    ///
    /// - Parameter observedAt: when Zoho said it, in microseconds since 1970.
    package mutating func add(_ record: RawJSON, shape: RecordShape, observedAt: Int64) {
        do {
            let mapped = try mapping.rows(of: record, shape: shape, observedAt: observedAt)
            // Were the other key's time the earlier one, what was just read would be stale for good.
            let isForeign = shape == .detail && origin.isAskedFor && mapping.tellsAnotherTime(record)
            records.append(isForeign ? mapped.withoutTime(mapping.modifiedColumn) : mapped)
        } catch {
            reject(record, shape: shape, observedAt: observedAt, reason: "\(error)")
        }
    }

    /// Keeps a record that cannot become rows.
    ///
    /// - Parameter observedAt: when Zoho said it, in microseconds since 1970.
    package mutating func reject(_ record: RawJSON, shape: RecordShape, observedAt: Int64, reason: String) {
        rejected.append(
            RejectedRecord(
                id: mapping.id(of: record), shape: shape, raw: record, observedAt: observedAt, reason: reason,
                code: nil))
    }

    /// The batch in parts of at most `size` records; the rejected ones go with the first.
    package func chunks(of size: Int) -> [Batch] {
        guard records.count > size else { return [self] }
        return stride(from: 0, to: records.count, by: size).map { start in
            var part = Batch(mapping, origin: origin)
            part.records = Array(records[start..<min(start + size, records.count)])
            if start == 0 { part.rejected = rejected }
            return part
        }
    }
}

/// A record that cannot be applied, with the reason.
package struct RejectedRecord: Sendable {
    package let id: String?
    package let shape: RecordShape
    package let raw: RawJSON
    /// When Zoho said it, in microseconds since 1970.
    package let observedAt: Int64
    package let reason: String
    /// The database's own code, where it was the database that refused.
    package let code: String?
}

/// What became of each record of a batch.
package enum Outcome: String, Sendable, Hashable, CaseIterable {
    case inserted
    case updated
    case unchanged
    /// Older than what the mirror already holds.
    case stale
    case deleted
    case restored
    /// Kept as a dead letter.
    case failed
}

/// What an application did.
package struct ApplyResult: Sendable {
    /// How many records had each outcome; their sum is the number of records.
    package var counts: [Outcome: Int] = [:]
    /// The values of optional fields that could not be read, with the id of the record.
    package var faults: [(id: String, fault: FieldFault)] = []
    /// Records of deliveries of which nobody can tell whether they are what Zoho said last; they have to be read again.
    package var contested: Set<String> = []
    /// Records that could not be applied.
    package var refused: [Refusal] = []
    /// Ids of records that were older than what the mirror holds.
    package var stale: Set<String> = []
    /// What was written to the change log.
    package var changes: [RecordChange] = []

    /// What became of one of the records.
    package func outcome(of id: String) -> Outcome {
        if refused.contains(where: { $0.zohoID == id }) { return .failed }
        if let change = changes.last(where: { $0.zohoID == id }) { return change.outcome }
        return stale.contains(id) ? .stale : .unchanged
    }

    package subscript(_ outcome: Outcome) -> Int { counts[outcome] ?? 0 }

    mutating func count(_ outcome: Outcome, _ number: Int = 1) {
        if number > 0 { counts[outcome, default: 0] += number }
    }
}

/// A record that could not be applied and is kept as a dead letter.
package struct Refusal: Sendable, Hashable {
    /// The Zoho id, where the record has one.
    package let zohoID: String?
    /// The id of its dead letter.
    package let letter: Int64
    package let reason: String
}

/// What an application changed in one record.
package struct RecordChange: Sendable, Hashable {
    package let zohoID: String
    package let outcome: Outcome
    /// The columns and child tables that changed; empty for an insertion.
    package let fields: [String]
}
