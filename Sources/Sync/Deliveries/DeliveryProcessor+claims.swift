import Catalog
import Logging
import Mirror
import ZohoBooks

/// What workers do with claimed entries of any kind.
extension DeliveryProcessor {
    /// Seconds after which a dead worker's claim lapses; a living one renews it.
    static let lease = 60
    /// How often a worker renews the claim on what it works on.
    private static let renewalInterval = Duration.seconds(20)

    /// Works on claimed entries, and renews the claim for as long as that takes.
    func withClaim(
        on entries: [InboxEntry], of worker: String, _ work: @escaping @Sendable ([InboxEntry]) async throws -> Void
    ) async throws {
        let fit = entries.filter { $0.deaths < Mirror.maximumDeaths && Catalog.entity(named: $0.entity) != nil }
        try await uncancelled { try await giveUpUnfit(among: entries) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await work(fit)
                return true
            }
            group.addTask {
                while true {
                    try await clock.sleep(for: Self.renewalInterval)
                    // Where that fails, the result is recorded only if the claim is still held.
                    try? await mirror.renewClaim(on: fit, holder: worker, lease: Self.lease)
                }
            }
            defer { group.cancelAll() }
            _ = try await group.next()
        }
    }

    private func giveUpUnfit(among entries: [InboxEntry]) async throws {
        let deadly = entries.filter { $0.deaths >= Mirror.maximumDeaths }
        try await giveUp(
            deadly, "\(Mirror.maximumDeaths) processes ended or hung while working on it; please report this as a bug"
        )
        let unknown = entries.filter { $0.deaths < Mirror.maximumDeaths && Catalog.entity(named: $0.entity) == nil }
        try await giveUp(unknown, "This version of ZohoSync does not know the entity; upgrade it")
    }

    private func giveUp(_ entries: [InboxEntry], _ reason: String) async throws {
        guard let entity = entries.first?.entity else { return }
        try await mirror.giveUp(entries, reason: reason)
        for entry in entries {
            logger.error(
                "A delivery became a dead letter", metadata: entry.metadata.merging(["error": "\(reason)"]) { $1 })
        }
        onProcessed(DeliveryReport(entity: entity, outcomes: [.failed: entries.count], lags: [:]))
    }

    /// Reports what became of entries: how long they took, and their outcomes in each entity.
    func report(_ entries: [InboxEntry], _ outcomes: [(entity: String, result: ApplyResult)]) {
        let time = mirror.now()
        var lags = Dictionary(grouping: entries, by: \.kind).mapValues { $0.map { time - $0.receivedAt } }
        for (entity, result) in outcomes {
            if !lags.isEmpty || !result.counts.isEmpty {
                onProcessed(DeliveryReport(entity: entity, outcomes: result.counts, lags: lags))
            }
            lags = [:]
            tell(entries, entity, result)
        }
        guard logger.logLevel <= .debug else { return }
        for entry in entries {
            // A contact is a customer or a vendor, and nothing became of it in the other table.
            let outcome = outcomes.map { $0.result.outcome(of: entry.zohoID) }.first { $0 != .unchanged } ?? .unchanged
            logger.debug(
                "Delivery processed",
                metadata: entry.metadata.merging([
                    "outcome": "\(outcome.rawValue)", "lag_ms": "\((time - entry.receivedAt) / 1_000)",
                ]) { $1 })
        }
    }

    /// Logs what could not be applied or read, and which request brought it.
    private func tell(_ entries: [InboxEntry], _ entity: String, _ result: ApplyResult) {
        for refusal in result.refused {
            let about = entries.filter { $0.zohoID == refusal.zohoID }
            for metadata in about.isEmpty ? [["entity": "\(entity)"]] : about.map(\.metadata) {
                logger.warning(
                    "A delivery became a dead letter",
                    metadata: metadata.merging([
                        "dead_letter": "\(refusal.letter)", "error": "\(refusal.reason)",
                    ]) { $1 })
            }
        }
        for (id, fault) in result.faults {
            let request = entries.last { $0.zohoID == id }?.requestID
            logger.notice(
                "A value could not be read and was left out",
                metadata: [
                    "request_id": "\(request ?? "-")", "entity": "\(entity)", "zoho_id": "\(id)",
                    "field": "\(fault.field)",
                ])
        }
    }

    /// Postpones entries whose attempt has failed, or makes dead letters of them after the last one.
    ///
    /// - Parameter isOutage: whether nothing could have worked, so that the attempt does not count.
    func fail(_ entries: [InboxEntry], _ error: any Error, isOutage: Bool, worker: String) async throws {
        let spent = isOutage ? [] : entries.filter { $0.failures + 1 >= Backoff.attempts }
        let rest = isOutage ? entries : entries.filter { $0.failures + 1 < Backoff.attempts }
        if !rest.isEmpty {
            logger.warning(
                "Deliveries could not be processed and will be retried",
                metadata: [
                    "error": "\(error)", "entity": "\(entries.first?.entity ?? "-")", "deliveries": "\(rest.count)",
                ])
        }
        if !isOutage {
            for entry in rest { logger.info("A delivery will be retried", metadata: entry.metadata) }
        }
        try await giveUp(spent, "\(error)")
        for (failures, entries) in Dictionary(grouping: rest, by: \.failures) {
            let pause =
                isOutage ? Backoff.outage(random: random()) : Backoff.pause(after: failures + 1, random: random())
            try await mirror.postpone(
                entries, until: mirror.now() + pause, error: "\(error)", countsAttempt: !isOutage, holder: worker)
        }
        if let entity = rest.first?.entity {
            onProcessed(DeliveryReport(entity: entity, outcomes: [:], lags: [:], postponed: rest.count))
        }
    }
}

extension InboxEntry {
    /// What a log says of it.
    fileprivate var metadata: Logger.Metadata {
        [
            "delivery": "\(id)", "request_id": "\(requestID ?? "-")", "entity": "\(entity)", "zoho_id": "\(zohoID)",
            "kind": "\(kind.rawValue)", "failures": "\(failures)",
        ]
    }
}

extension [InboxEntry] {
    /// The entries of each entity that there is, in the order of their receipt.
    var byEntity: [(mapping: EntityMapping, entries: [InboxEntry])] {
        Dictionary(grouping: self, by: \.entity).sorted { $0.key < $1.key }.compactMap { name, entries in
            Catalog.entity(named: name).map { ($0, entries) }
        }
    }
}
