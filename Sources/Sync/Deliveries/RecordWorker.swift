import Catalog
import Database
import Mirror
import ServiceLifecycle
import ZohoBooks

/// Applies records that were delivered.
struct RecordWorker: Sendable {
    let processor: DeliveryProcessor
    /// The name under which entries are claimed.
    let name: String

    /// Entries that are claimed at once.
    private static let claimSize = 400

    /// Works until nothing is due.
    func drain(_ heartbeat: WorkerHeartbeat) async throws {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            try await heartbeat.beat()
            let entries = try await heartbeat.uncancelled { try await claim() }
            if entries.isEmpty { return }
            do {
                try await processor.withClaim(on: entries, of: name) { entries in
                    for (mapping, entries) in entries.byEntity {
                        try await heartbeat.uncancelled { try await apply(entries, mapping) }
                    }
                }
            } catch is CancellationError where heartbeat.isStopped {
                try await giveBack(entries)
                throw CancellationError()
            }
        }
    }

    /// Gives back what was not done when the time for a shutdown was over; that counts neither as an attempt nor as a
    /// death.
    private func giveBack(_ entries: [InboxEntry]) async throws {
        try await uncancelled(for: .seconds(2)) { [processor, name] in
            try await processor.mirror.postpone(
                entries, until: processor.mirror.now(), error: nil, countsAttempt: false, holder: name)
        }
    }

    private func claim() async throws -> [InboxEntry] {
        let (mirror, lease) = (processor.mirror, DeliveryProcessor.lease)
        let due = try await mirror.claim([.record], limit: Self.claimSize, holder: name, lease: lease)
        return due.isEmpty ? try await mirror.claimSuspect([.record], holder: name, lease: lease) : due
    }

    private func apply(_ entries: [InboxEntry], _ mapping: EntityMapping) async throws {
        do {
            let result = try await processor.mirror.apply(entries, of: mapping)
            processor.report(entries, [(mapping.entity.name, result)])
        } catch {
            if error is CancellationError { throw error }
            let byID = Dictionary(grouping: entries, by: \.zohoID)
            guard !error.isDatabaseOutage, byID.count > 1 else {
                return try await processor.fail(entries, error, isOutage: error.isDatabaseOutage, worker: name)
            }
            // One that the database cannot take must not cost the others.
            for (_, entries) in byID.sorted(by: { $0.value[0].id < $1.value[0].id }) {
                try await apply(entries, mapping)
            }
        }
    }
}

extension Error {
    /// Whether the database cannot do the work at the moment, whatever the records.
    var isDatabaseOutage: Bool { (self as? DatabaseError).map { !$0.concernsStatement } ?? false }
}
