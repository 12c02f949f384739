import Catalog
import Database
import Mirror
import ServiceLifecycle
import ZohoBooks

/// Applies records that were delivered.
struct RecordWorker: Sendable {
    let processor: DeliveryProcessor
    /// Under which entries are claimed.
    let name: String

    /// Entries that are claimed at once.
    private static let claimSize = 400
    /// Seconds after which a dead worker's claim comes back; applying takes milliseconds.
    private static let lease = 60

    /// Works until nothing is due.
    func drain(_ pulse: WorkerPulse) async throws {
        let mirror = processor.mirror
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            try await pulse.beat()
            let entries = try await pulse.uncancelled { [name] in
                try await mirror.claim([.record], limit: Self.claimSize, holder: name, lease: Self.lease)
            }
            if entries.isEmpty { return }
            for (mapping, entries) in entries.byEntity {
                try await pulse.uncancelled { try await apply(entries, mapping) }
            }
        }
    }

    private func apply(_ entries: [InboxEntry], _ mapping: EntityMapping) async throws {
        do {
            let result = try await processor.mirror.apply(entries, of: mapping)
            processor.report(entries, result)
        } catch {
            try await processor.fail(entries, error, isOutage: error.isDatabaseOutage, worker: name)
        }
    }
}

extension Error {
    /// Whether the database cannot do anything at the moment.
    var isDatabaseOutage: Bool {
        switch (self as? DatabaseError)?.kind {
        case .unavailable, .readOnly, .exhausted, .denied, .unusable, .locked: true
        case .record, .conflict, .program, nil: false
        }
    }
}
