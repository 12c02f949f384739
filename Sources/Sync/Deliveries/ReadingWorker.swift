import Catalog
import Foundation
import Mirror
import ServiceLifecycle
import ZohoBooks

/// Reads again what deliveries have marked, and finds out whether records that are said to be gone are.
///
/// All marks that wait for one record cost one reading, and a hundred items cost one call.
struct ReadingWorker: Sendable {
    let processor: DeliveryProcessor
    /// Under which entries are claimed.
    let name: String

    /// Entries that are claimed at once.
    private static let claimSize = 1_000
    /// Seconds after which a dead worker's claim comes back; a living one prolongs it while it waits for the budget.
    private static let lease = 60
    /// Calls that are made side by side.
    private static let concurrency = 4

    /// Works until nothing is due.
    func drain(_ pulse: WorkerPulse) async throws {
        let mirror = processor.mirror
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let entries = try await pulse.uncancelled { [name] in
                let due = try await mirror.claim(
                    [.mark, .deletion], limit: Self.claimSize, holder: name, lease: Self.lease)
                guard due.contains(where: { $0.kind == .mark }) else { return due }
                // A call is made anyway: the younger marks come along.
                return due
                    + (try await mirror.claim(
                        [.mark], limit: Self.claimSize, holder: name, lease: Self.lease, ahead: Mirror.gatheringTime))
            }
            if entries.isEmpty { return }
            try await withClaimKept(entries) { try await work(on: entries, pulse) }
        }
    }

    private func withClaimKept(_ entries: [InboxEntry], _ work: @escaping @Sendable () async throws -> Void)
        async throws
    {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await work()
                return true
            }
            group.addTask { [mirror = processor.mirror, name] in
                while true {
                    try await Task.sleep(for: .seconds(Self.lease / 3))
                    try await mirror.keep(entries, holder: name, lease: Self.lease)
                }
            }
            defer { group.cancelAll() }
            _ = try await group.next()
        }
    }

    private func work(on entries: [InboxEntry], _ pulse: WorkerPulse) async throws {
        var rest = entries
        if processor.trustsDeletions {
            rest = entries.filter { $0.kind != .deletion }
            for (mapping, entries) in entries.filter({ $0.kind == .deletion }).byEntity {
                for entry in entries {
                    try await apply(DetailAnswer(gone: [entry.zohoID], goneAt: entry.receivedAt), [entry], mapping)
                }
            }
        }
        for (mapping, entries) in rest.byEntity { try await read(entries, mapping, pulse) }
    }

    private func read(_ entries: [InboxEntry], _ mapping: EntityMapping, _ pulse: WorkerPulse) async throws {
        let byID = Dictionary(grouping: entries, by: \.zohoID)
        // A webhook's reading may use the reserve that syncs leave alone.
        let reader = DetailReader(
            client: processor.client, module: mapping.entity.module, priority: .interactive, now: processor.mirror.now)
        var calls = reader.calls(for: byID.keys.sorted())[...]
        var outage: (any Error)?
        await withTaskGroup(of: (any Error)?.self) { group in
            for _ in 0..<Self.concurrency {
                guard let ids = calls.popFirst() else { break }
                group.addTask { await read(ids, byID, mapping, reader, pulse) }
            }
            while let error = await group.next() {
                try? await pulse.beat()
                outage = outage ?? error
                guard outage == nil, let ids = calls.popFirst() else { continue }
                group.addTask { await read(ids, byID, mapping, reader, pulse) }
            }
        }
        let untried = calls.flatMap { $0.flatMap { byID[$0] ?? [] } }
        if let outage, !untried.isEmpty { try await giveBack(untried, outage) }
    }

    /// Reads one group of records and applies what came.
    ///
    /// - Returns: why it is pointless to read on; nil otherwise.
    private func read(
        _ ids: [String], _ byID: [String: [InboxEntry]], _ mapping: EntityMapping, _ reader: DetailReader,
        _ pulse: WorkerPulse
    ) async -> (any Error)? {
        let entries = ids.flatMap { byID[$0] ?? [] }
        do {
            let answer = try await cancelWhenGracefulShutdown { try await reader.answer(to: ids) }
            try await pulse.uncancelled { try await apply(answer, entries, mapping) }
            return nil
        } catch {
            let isOutage = (error as? ZohoBooksError)?.concernsEveryCall ?? true
            if isOutage {
                try? await giveBack(entries, error)
                return error
            }
            try? await uncancelled {
                try await processor.fail(entries, error, isOutage: false, worker: name)
            }
            return nil
        }
    }

    /// Applies an answer to the rows of the entity that each record belongs to.
    private func apply(_ answer: DetailAnswer, _ entries: [InboxEntry], _ mapping: EntityMapping) async throws {
        let siblings = Catalog.entities(of: mapping.entity.module)
        do {
            for sibling in siblings {
                let records = answer.records.filter {
                    (try? sibling.owns($0.json)) ?? (sibling.entity.name == mapping.entity.name)
                }
                if records.isEmpty, answer.gone.isEmpty { continue }
                let ids = Set(records.compactMap { sibling.id(of: $0.json) } + answer.gone)
                let result = try await processor.mirror.apply(
                    records.map { ($0.json, Int64($0.observedAt.timeIntervalSince1970 * 1_000_000)) },
                    gone: answer.gone, goneAt: answer.goneAt ?? processor.mirror.now(),
                    for: entries.filter { ids.contains($0.zohoID) },
                    of: sibling)
                if sibling.entity.name == mapping.entity.name || result.counts.contains(where: { $0.key != .unchanged })
                {
                    processor.report(entries, result)
                }
            }
        } catch {
            try await processor.fail(entries, error, isOutage: error.isDatabaseOutage, worker: name)
        }
    }

    /// Gives entries back until what keeps them is over; that was no attempt.
    private func giveBack(_ entries: [InboxEntry], _ error: any Error) async throws {
        let mirror = processor.mirror
        let until: Int64? =
            switch (error as? ZohoBooksError)?.kind {
            case .quota(let date), .unavailable(let date), .tokenThrottle(let date):
                Int64((date.timeIntervalSince1970 + 30 * processor.random()) * 1_000_000)
            case .cancelled: mirror.now()
            default: error is CancellationError ? mirror.now() : nil
            }
        try await uncancelled { [processor, name] in
            guard let until else { return try await processor.fail(entries, error, isOutage: true, worker: name) }
            try await mirror.postpone(
                entries, until: until, error: "\(error)", countsAttempt: false, holder: name)
        }
    }
}
