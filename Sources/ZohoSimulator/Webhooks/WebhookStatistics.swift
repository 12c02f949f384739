/// What became of the webhooks since the start.
///
/// A delivery is a rule that fired, or its duplicate; each is in the end acknowledged, failed, lost or refused.
package struct WebhookStatistics: Sendable, Equatable {
    /// Rules that fired.
    package internal(set) var fired = 0
    /// Calls made, including retries.
    package internal(set) var sent = 0
    /// Deliveries answered with 2xx.
    package internal(set) var acknowledged = 0
    /// Deliveries given up after the last retry.
    package internal(set) var failed = 0
    /// Retries.
    package internal(set) var retried = 0
    /// Deliveries that never left.
    package internal(set) var lost = 0
    /// Deliveries beyond the first of a rule that fired.
    package internal(set) var duplicated = 0
    /// Deliveries dropped by the cap of the day.
    package internal(set) var refusedByCap = 0
    /// Calls that failed, by HTTP status; 0 for those without an answer.
    package internal(set) var failedCalls: [Int: Int] = [:]
}

/// A delivery that the receiver has answered with 2xx.
package struct AcknowledgedDelivery: Sendable, Hashable {
    /// The record's module.
    package let module: WebhookModule
    /// What happened to the record.
    package let event: WebhookEvent
    /// The record's id.
    package let id: String
    /// The record's `last_modified_time` when the rule fired, as the API writes it.
    package let lastModifiedTime: String
    /// The record's `status` when the rule fired.
    package let recordStatus: String
    /// The HTTP status of the receiver's answer.
    package let status: Int
}

/// Counts, and remembers the newest acknowledged deliveries.
struct WebhookLedger: Sendable {
    var statistics = WebhookStatistics()
    private var newest: [AcknowledgedDelivery] = []
    /// The position of the oldest, once the buffer is full.
    private var oldest = 0

    /// In order of their answers.
    var acknowledged: [AcknowledgedDelivery] { Array(newest[oldest...] + newest[..<oldest]) }

    mutating func acknowledge(_ delivery: WebhookDelivery, status: Int, remembering limit: Int) {
        statistics.acknowledged += 1
        let entry = AcknowledgedDelivery(
            module: delivery.module, event: delivery.event, id: delivery.id,
            lastModifiedTime: delivery.lastModifiedTime, recordStatus: delivery.recordStatus, status: status)
        if newest.count < limit {
            newest.append(entry)
        } else if !newest.isEmpty {
            newest[oldest] = entry
            oldest = (oldest + 1) % newest.count
        }
    }
}
