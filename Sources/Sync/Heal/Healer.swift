import Catalog
import Database
import Foundation
package import Mirror
package import ZohoBooks

/// Puts right by itself what can be put right without a person, and keeps what it did and why.
package struct Healer: Sendable {
    let mirror: Mirror
    let client: ZohoBooksClient
    let options: HealingOptions
    /// Host and process.
    let holder: String
    /// Tells of another holder whether it is known to have ended.
    let isDead: @Sendable (String) -> Bool
    /// Works on what healing has put into the inbox.
    let processor: DeliveryProcessor
    let synchronise: @Sendable (SyncOptions) async throws -> SyncReport

    /// Seconds after its end for which a lease may still be prolonged by a slow process.
    private static let leaseGrace: Int64 = 60
    /// Seconds after which a process is taken for ended that prolongs no lease at all.
    private static let obituary: Int64 = 3_600
    /// Seconds without a sign of life after which the server counts as down.
    static let downtime: Int64 = 90

    package init(
        mirror: Mirror, client: ZohoBooksClient, options: HealingOptions, holder: String,
        isDead: @escaping @Sendable (String) -> Bool, processor: DeliveryProcessor,
        synchronise: @escaping @Sendable (SyncOptions) async throws -> SyncReport
    ) {
        self.mirror = mirror
        self.client = client
        self.options = options
        self.holder = holder
        self.isDead = isDead
        self.processor = processor
        self.synchronise = synchronise
    }

    /// What healing would do now.
    package func plan() async throws -> [HealingNeed] {
        var needs: [HealingNeed] = []
        for action in HealingAction.allCases where !options.disabled.contains(action) {
            needs += try await self.needs(for: action)
        }
        return needs
    }

    /// Does what is needed, one thing after the other; what fails keeps nothing else from being done.
    ///
    /// - Parameter onAction: told of each action when it has ended.
    /// - Returns: what was done, and what a person has to decide.
    /// - Throws: `CancellationError`.
    @discardableResult
    package func heal(
        onAction: @escaping @Sendable (HealingRecord) async -> Void = { _ in }
    ) async throws -> [HealingRecord] {
        var records: [HealingRecord] = []
        for action in HealingAction.allCases where !options.disabled.contains(action) {
            let needs: [HealingNeed]
            do {
                needs = try await self.needs(for: action)
            } catch {
                try Task.checkCancellation()
                needs = [HealingNeed(action: action, reason: "It is not known what is needed.", act: { throw error })]
            }
            for need in needs {
                let record = try await perform(need)
                records.append(record)
                await onAction(record)
            }
        }
        return records
    }

    private func perform(_ need: HealingNeed) async throws -> HealingRecord {
        func record(_ outcome: String, _ changed: Int) -> HealingRecord {
            HealingRecord(
                action: need.action.rawValue, reason: need.reason, outcome: outcome, changed: changed,
                at: mirror.now())
        }
        // A question is asked by the check that it belongs to; it is no action.
        guard let act = need.act else { return record(HealingRecord.question, 0) }
        let done: HealingRecord
        do {
            let (outcome, changed) = try await act()
            done = record(outcome, changed)
        } catch {
            try Task.checkCancellation()
            done = record("\(HealingRecord.failure)\(error)", 0)
        }
        try? await uncancelled { [mirror] in try await mirror.record(done) }
        return done
    }

    // MARK: - What is needed

    private func needs(for action: HealingAction) async throws -> [HealingNeed] {
        switch action {
        case .refreshToken: try await tokenNeeds()
        case .releaseLeases: try await leaseNeeds()
        case .endRuns: try await runNeeds()
        // The server's own supervision does it at once.
        case .restartWorker: []
        case .retryDeadLetters: try await retryNeeds()
        case .rereadDeadLetters: try await rereadNeeds()
        case .catchUp: try await catchUpNeeds()
        case .repairDrift: try await driftNeeds()
        case .prune: try await pruneNeeds()
        }
    }

    private func tokenNeeds() async throws -> [HealingNeed] {
        let expiresAt = try await client.accessExpiresAt()
        if let expiresAt, expiresAt.timeIntervalSince1970 * 1_000_000 > Double(mirror.now()) { return [] }
        return [
            HealingNeed(
                action: .refreshToken,
                reason: expiresAt == nil ? "There is no access token." : "The access token has expired."
            ) { [client] in
                try await client.checkAccess()
                return ("There is a new one.", 1)
            }
        ]
    }

    private func leaseNeeds() async throws -> [HealingNeed] {
        let stuck = try await stuckLeases()
        let claims = try await mirror.claims(where: isDead)
        guard !stuck.isEmpty || claims > 0 else { return [] }
        let names = stuck.map(\.name).joined(separator: ", ")
        let parts =
            (stuck.isEmpty ? [] : ["Nobody prolongs the leases \(names)."])
            + (claims == 0 ? [] : ["\(claims) deliveries are claimed by processes that have ended."])
        return [
            HealingNeed(action: .releaseLeases, reason: parts.joined(separator: " ")) { [mirror, isDead] in
                var taken = 0
                for lease in stuck where try await mirror.takeBack(lease) { taken += 1 }
                let released = try await mirror.releaseClaims(where: isDead)
                return ("\(taken) leases and \(released) claims were taken back.", taken + released)
            }
        ]
    }

    /// Leases that nobody prolongs any more.
    ///
    /// A worker's lease proves that the worker lives, so that taking it back would hide one that is stuck: it goes with
    /// its process.
    private func stuckLeases() async throws -> [Lease] {
        let leases = try await mirror.leases()
        let signs = Dictionary(leases.map { ($0.process, $0.left) }, uniquingKeysWith: max)
        return leases.filter { lease in
            if isDead(lease.process) { return true }
            guard lease.name.hasPrefix(WorkerPulse.prefix) else { return lease.left < -Self.leaseGrace * 1_000_000 }
            // Of other machines nothing is known but what their processes prolong.
            return lease.process != holder && (signs[lease.process] ?? 0) < -Self.obituary * 1_000_000
        }
    }

    private func runNeeds() async throws -> [HealingNeed] {
        let held = Set(try await mirror.leases().filter { $0.isLive && !isDead($0.process) }.map(\.name))
        let abandoned = try await mirror.runs(state: .running, limit: 1_000).filter {
            !held.contains(Leases.name(of: $0.entity))
        }
        guard !abandoned.isEmpty else { return [] }
        let names = abandoned.map { "\($0.id) of \($0.entity)" }.joined(separator: ", ")
        return [
            HealingNeed(action: .endRuns, reason: "No process works on the runs \(names).") { [mirror] in
                let ended = try await mirror.endAbandonedRuns()
                return ("\(ended) runs were marked as interrupted.", ended)
            }
        ]
    }

    // MARK: - Dead letters

    private func dueLetters(_ isWanted: (DeadLetter) -> Bool) async throws -> [DeadLetter] {
        let time = mirror.now()
        return try await mirror.deadLetters().filter {
            isWanted($0) && (options.isAskedFor || $0.isDue(at: time))
        }
    }

    private func retryNeeds() async throws -> [HealingNeed] {
        let letters = try await dueLetters { $0.hasPassingReason }
        guard !letters.isEmpty else { return [] }
        return [
            HealingNeed(
                action: .retryDeadLetters, reason: "\(letters.count) dead letters failed for a reason that passes."
            ) { [mirror, processor] in
                var (applied, queued) = (0, 0)
                for letter in letters {
                    try Task.checkCancellation()
                    switch try await uncancelled({ try await mirror.retry(letter) }) {
                    case .applied(.failed): break
                    case .applied: applied += 1
                    case .queued: queued += 1
                    }
                }
                if queued > 0 { try await processor.drainOnce() }
                let failed = letters.count - applied - queued
                return ("\(applied) were applied, \(queued) read again, \(failed) failed again.", applied + queued)
            }
        ]
    }

    private func rereadNeeds() async throws -> [HealingNeed] {
        let letters = try await dueLetters { !$0.hasPassingReason && $0.zohoID != nil }
        guard !letters.isEmpty else { return [] }
        return [
            HealingNeed(
                action: .rereadDeadLetters,
                reason: "\(letters.count) records could not be applied as they came; Zoho may tell them better by now."
            ) { [mirror, processor] in
                for (entity, letters) in Dictionary(grouping: letters, by: \.entity) {
                    guard let mapping = Catalog.entity(named: entity) else { continue }
                    _ = try await mirror.mark(letters.compactMap(\.zohoID), of: mapping)
                }
                try await processor.drainOnce()
                let open = Set(try await mirror.deadLetters().map(\.id))
                let closed = letters.count { !open.contains($0.id) }
                return ("\(closed) of \(letters.count) are applied or gone at the source.", closed)
            }
        ]
    }

    // MARK: - What was missed

    private func catchUpNeeds() async throws -> [HealingNeed] {
        guard let life = try await mirror.scheduleRecords().first(where: { $0.name == ServerLife.name }),
            let startedAt = life.startedAt, let seenAt = life.endedAt
        else { return [] }
        let grace = Self.downtime * 1_000_000
        let isDown = mirror.now() - seenAt > grace
        guard isDown || startedAt - life.dueAt > grace else { return [] }
        let (from, until) = isDown ? (seenAt, seenAt) : (life.dueAt, startedAt)
        var missed: [String] = []
        for mapping in Catalog.entities {
            let name = mapping.entity.name
            // What was never loaded is not caught up but begun, by a person or by the schedule.
            if let listedAt = try await mirror.cursor(of: name).listedAt, listedAt < until { missed.append(name) }
        }
        guard !missed.isEmpty else { return [] }
        var options = SyncOptions()
        options.entities = missed
        options.isUnattended = true
        let end = isDown ? "" : " to \(Timestamp.seconds(startedAt))"
        return [
            HealingNeed(
                action: .catchUp,
                reason: "No server ran from \(Timestamp.seconds(from))\(end): \(missed.joined(separator: ", "))."
            ) { [options, synchronise] in
                let report = try await synchronise(options)
                let changed = report.runs.reduce(0) { $0 + $1.progress.changed }
                return ("\(report.runs.count) entities were read, \(changed) records changed.", changed)
            }
        ]
    }

    private func driftNeeds() async throws -> [HealingNeed] {
        var needs: [HealingNeed] = []
        var drifted: [(entity: String, count: Int)] = []
        for mapping in Catalog.entities {
            let name = mapping.entity.name
            guard let last = try await mirror.reconciliations(entity: name, limit: 1).first else { continue }
            switch last.state {
            case .equal, .repaired: break
            // What a repair has left cannot be repaired by another one.
            case .different where !last.wasRepair || options.isAskedFor: drifted.append((name, last.driftCount))
            case .different: break
            case .incomplete:
                if let note = last.note {
                    needs.append(HealingNeed(action: .repairDrift, reason: "\(name): \(note)", act: nil))
                }
            }
        }
        guard !drifted.isEmpty else { return needs }
        var options = ReconciliationOptions()
        options.entities = drifted.map(\.entity)
        options.isUnattended = true
        options.repairs = true
        options.sample = 0
        let reason = drifted.map { "\($0.count) of \($0.entity)" }.joined(separator: ", ")
        needs.append(
            HealingNeed(action: .repairDrift, reason: "The last comparison found differences: \(reason).") {
                [options, mirror, client, holder, isDead] in
                let report = try await Reconciler(
                    client: client, mirror: mirror, options: options, holder: holder, isDead: isDead
                ).run()
                let repaired = report.entities.reduce(0) { $0 + $1.findings.drift.count(where: \.isRepaired) }
                let end = report.isEqual ? "source and mirror are equal" : "not everything could be repaired"
                return ("\(repaired) records were repaired in \(report.calls) calls; \(end).", repaired)
            })
        return needs
    }

    // MARK: - Retention

    private func pruneNeeds() async throws -> [HealingNeed] {
        let day: Int64 = 86_400_000_000
        let retention = Mirror.Retention(
            history: mirror.now() - Int64(options.historyDays) * day,
            changes: mirror.now() - Int64(options.changesDays) * day)
        let old = try await mirror.count(olderThan: retention)
        guard !old.isEmpty else { return [] }
        @Sendable func list(_ rows: [String: Int]) -> String {
            rows.sorted { $0.key < $1.key }.map { "\($0.value) of \($0.key)" }.joined(separator: ", ")
        }
        return [
            HealingNeed(action: .prune, reason: "Older than their retention: \(list(old)).") { [mirror] in
                let removed = try await mirror.prune(olderThan: retention)
                return ("Removed: \(list(removed)).", removed.values.reduce(0, +))
            }
        ]
    }
}

/// When a server was seen to run, kept as a row of `sync_schedule`.
enum ServerLife {
    static let name = "serve"
}
