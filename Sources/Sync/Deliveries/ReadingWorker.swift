import Catalog
import Database
import Foundation
import Mirror
import ServiceLifecycle
import ZohoBooks

/// Reads again what deliveries have marked, and confirms deletions.
///
/// All marks that wait for one record cost one reading, and a hundred items cost one call.
struct ReadingWorker: Sendable {
    let processor: DeliveryProcessor
    /// The name under which entries are claimed.
    let name: String

    /// Entries that are claimed at once.
    private static let claimSize = 1_000
    /// Microseconds that entries for which the budget has no call wait at least.
    private static let minimumPause: Int64 = 5_000_000

    /// Works until nothing is due.
    func drain(_ heartbeat: WorkerHeartbeat) async throws {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let entries = try await heartbeat.uncancelled { try await claim() }
            if entries.isEmpty { return }
            try await processor.withClaim(on: entries, of: name) { try await work(on: $0, heartbeat) }
        }
    }

    private func claim() async throws -> [InboxEntry] {
        let (mirror, lease) = (processor.mirror, DeliveryProcessor.lease)
        let due = try await mirror.claim([.mark, .deletion], limit: Self.claimSize, holder: name, lease: lease)
        if due.isEmpty { return try await mirror.claimSuspect([.mark, .deletion], holder: name, lease: lease) }
        guard due.contains(where: { $0.kind == .mark }) else { return due }
        // A call is made anyway, so the younger marks share it.
        return due
            + (try await mirror.claim(
                [.mark], limit: Self.claimSize, holder: name, lease: lease, ahead: Mirror.coalescingDelay))
    }

    private func work(on entries: [InboxEntry], _ heartbeat: WorkerHeartbeat) async throws {
        var rest = entries
        if processor.trustsDeletions {
            rest = entries.filter { $0.kind != .deletion }
            for (mapping, entries) in entries.filter({ $0.kind == .deletion }).byEntity {
                for entry in entries {
                    let answer = DetailAnswer(gone: [entry.zohoID], goneAt: entry.receivedAt)
                    // A row that was seen later than the deletion came may hold an edit that was overtaken, or a record
                    // that came back: only a call tells.
                    rest += try await apply(answer, [entry], mapping)
                }
            }
        }
        // A reading for a webhook may use the reserve that syncs leave alone, and does not wait for readings that may
        // not.
        let urgent = Set(rest.filter { $0.priority == .interactive }.map(\.subject))
        let parts = Dictionary(grouping: rest) { urgent.contains($0.subject) ? CallPriority.interactive : .background }
        for priority in [CallPriority.interactive, .background] {
            // Records that share one call by the hundred go first.
            let groups = (parts[priority] ?? []).byEntity.sorted {
                $0.mapping.entity.module.detail.size > $1.mapping.entity.module.detail.size
            }
            for (mapping, entries) in groups { try await read(entries, mapping, priority, heartbeat) }
        }
    }

    private func read(
        _ entries: [InboxEntry], _ mapping: EntityMapping, _ priority: CallPriority, _ heartbeat: WorkerHeartbeat
    ) async throws {
        let byID = Dictionary(grouping: entries, by: \.zohoID)
        let access = try await processor.mirror.detailAccess(of: mapping.entity.name)
        if access.isRefused(at: processor.mirror.now()) {
            try await heartbeat.uncancelled { try await leaveToLists(entries, MissingDetails(of: mapping)) }
            return
        }
        // Entries wait for calls in the inbox and not in the client, or all that was claimed with them would wait too.
        let reader = DetailReader(
            client: processor.client.withoutWaitingForDetails(), mirror: processor.mirror, mapping: mapping,
            access: access, priority: priority)
        var calls = reader.calls(for: byID.keys.sorted())[...]
        var outage: (any Error)?
        await withTaskGroup(of: (any Error)?.self) { group in
            for _ in 0..<processor.client.inFlight {
                guard let ids = calls.popFirst() else { break }
                group.addTask { await read(ids, byID, mapping, reader, heartbeat) }
            }
            while let error = await group.next() {
                try? await heartbeat.beat()
                outage = outage ?? error
                guard outage == nil, let ids = calls.popFirst() else { continue }
                group.addTask { await read(ids, byID, mapping, reader, heartbeat) }
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
        _ heartbeat: WorkerHeartbeat
    ) async -> (any Error)? {
        let entries = ids.flatMap { byID[$0] ?? [] }
        do {
            let answer = try await cancelWhenGracefulShutdown { try await reader.answer(to: ids) }
            let unread = Set(answer.unread)
            let answered = entries.filter { !unread.contains($0.zohoID) && answer.refused[$0.zohoID] == nil }
            try await heartbeat.uncancelled {
                for (id, error) in answer.refused {
                    try await processor.fail(byID[id] ?? [], error, isOutage: false, worker: name)
                }
                let contradicted = try await apply(answer, answered, mapping)
                guard !contradicted.isEmpty else { return }
                // Delivered while the call was under way; the next one departs later than that.
                let mirror = processor.mirror
                try await mirror.postpone(
                    contradicted, until: mirror.now() + Mirror.coalescingDelay,
                    error: "Zoho said that the record is gone, but it was delivered since.", countsAttempt: false,
                    holder: name)
            }
            guard let obstacle = answer.obstacle else { return nil }
            let rest = entries.filter { unread.contains($0.zohoID) }
            guard obstacle.concernsEveryCall else {
                try await heartbeat.uncancelled {
                    try await processor.fail(rest, obstacle, isOutage: false, worker: name)
                }
                return nil
            }
            try await giveBack(rest, obstacle)
            // Only calls of this kind are not to be made yet.
            if case .pace = obstacle.kind { return nil }
            return obstacle
        } catch let error as ZohoBooksError where error.kind == .endpointMissing {
            let mirror = processor.mirror
            try? await uncancelled {
                try await mirror.noteDetailsRefused(of: mapping.entity.name, at: mirror.now())
                try await leaveToLists(entries, MissingDetails(of: mapping))
            }
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

    /// Gives up marks of records that Zoho does not give individually: the next list shows what it can of the change.
    private func leaveToLists(_ entries: [InboxEntry], _ error: MissingDetails) async throws {
        let marks = entries.filter { $0.kind == .mark }
        try await processor.mirror.drop(marks)
        processor.report(marks, [])
        let others = entries.filter { $0.kind != .mark }
        if !others.isEmpty { try await processor.fail(others, error, isOutage: false, worker: name) }
    }

    /// Applies an answer to the rows of the entity that each record belongs to.
    ///
    /// - Returns: entries about records that the answer says are gone, and that were seen later; nothing was done about
    ///   them.
    private func apply(
        _ answer: DetailAnswer, _ entries: [InboxEntry], _ mapping: EntityMapping
    ) async throws -> [InboxEntry] {
        do {
            let result = try await processor.mirror.apply(answer.reading, for: entries, of: mapping)
            let open = Set((result.unanswered + result.contradicted).map(\.id))
            processor.report(entries.filter { !open.contains($0.id) }, result.outcomes)
            if !result.unanswered.isEmpty {
                try await processor.fail(
                    result.unanswered, UnusableAnswer(mapping), isOutage: false, worker: name)
            }
            return result.contradicted
        } catch {
            let byID = Dictionary(grouping: entries, by: \.zohoID)
            guard !error.isDatabaseOutage, byID.count > 1 else {
                try await processor.fail(entries, error, isOutage: error.isDatabaseOutage, worker: name)
                return []
            }
            // One that the database cannot take must not cost the others.
            var contradicted: [InboxEntry] = []
            for (id, entries) in byID.sorted(by: { $0.key < $1.key }) {
                contradicted += try await apply(answer.part(about: id, of: mapping), entries, mapping)
            }
            return contradicted
        }
    }

    /// Gives entries back until what keeps them is over; that was no attempt.
    private func giveBack(_ entries: [InboxEntry], _ error: any Error) async throws {
        let mirror = processor.mirror
        let until: Int64? =
            switch (error as? ZohoBooksError)?.kind {
            case .quota(let date), .unavailable(let date), .tokenThrottle(let date):
                Timestamp.instant(of: date + 30 * processor.random())
            case .pace(let date):
                // At least so long, so that it is not woken for every single call that becomes free.
                max(Timestamp.instant(of: date), mirror.now() + Self.minimumPause)
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

/// Why an answer of Zoho's cannot be used.
struct UnusableAnswer: Error, CustomStringConvertible {
    let description: String

    init(_ mapping: EntityMapping) {
        let names = Catalog.entities(of: mapping.entity.module).map(\.entity.name)
        description =
            "Zoho answers with another record than was asked for, or with one that belongs to none of "
            + names.joined(separator: ", ")
    }
}

extension DetailAnswer {
    fileprivate var reading: Reading {
        Reading(
            records: records.map { ($0.json, Timestamp.instant(of: $0.observedAt)) }, gone: gone,
            goneAt: goneAt ?? 0)
    }

    /// The part of it that is about one record.
    fileprivate func part(about id: String, of mapping: EntityMapping) -> DetailAnswer {
        DetailAnswer(
            records: records.filter { mapping.id(of: $0.json) == id }, gone: gone.filter { $0 == id }, goneAt: goneAt)
    }
}

extension InboxEntry {
    /// The record that it is about, unique across entities.
    fileprivate var subject: String { "\(entity) \(zohoID)" }
}
