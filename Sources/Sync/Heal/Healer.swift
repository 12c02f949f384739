import Catalog
import Database
package import Mirror
package import ZohoBooks

/// Repairs what can be repaired without a person, and records what it did and why.
package struct Healer: Sendable {
    let mirror: Mirror
    let client: ZohoBooksClient
    let options: HealingOptions
    /// Host and process.
    let process: String
    /// Whether the process of this name is known to have ended.
    let isDead: @Sendable (String) -> Bool
    /// Works on what healing has put into the inbox.
    let processor: DeliveryProcessor
    let synchronise: @Sendable (SyncOptions) async throws -> SyncReport

    /// Microseconds without a sign of life after which the server counts as down.
    static let downtime: Int64 = 90_000_000

    /// - Parameters:
    ///   - process: host and process, for people and for the leases.
    ///   - processor: works on what healing puts into the inbox.
    ///   - synchronise: runs a sync; throws ``SyncRunsError`` or ``MirrorError`` where another one has the entities.
    package init(
        mirror: Mirror, client: ZohoBooksClient, options: HealingOptions, process: String,
        isDead: @escaping @Sendable (String) -> Bool, processor: DeliveryProcessor,
        synchronise: @escaping @Sendable (SyncOptions) async throws -> SyncReport
    ) {
        self.mirror = mirror
        self.client = client
        self.options = options
        self.process = process
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

    /// Does what is needed, one action after the other; a failure keeps no other action from being done.
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
                needs = [
                    HealingNeed(action: action, reason: "What is needed could not be determined.", act: { throw error })
                ]
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
        func record(_ result: HealingResult) -> HealingRecord {
            HealingRecord(
                action: need.action.rawValue, reason: need.reason, state: result.state,
                outcome: [result.state.words, result.text].compactMap { $0 }.filter { !$0.isEmpty }
                    .joined(separator: " "),
                changed: result.changed, at: mirror.now())
        }
        // A question is no action, so it is not recorded: the check that it belongs to asks it.
        guard let act = need.act else { return record(HealingResult(state: .question, text: "", changed: 0)) }
        let done: HealingRecord
        do {
            done = record(try await act())
        } catch {
            try Task.checkCancellation()
            done = record(HealingResult(state: error.isConflict ? .waiting : .failed, text: "\(error)", changed: 0))
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
        // The server's own supervision does it at once; see `DeliveryProcessor`.
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
        if let expiresAt, Timestamp.instant(of: expiresAt) > mirror.now() { return [] }
        return [
            HealingNeed(
                action: .refreshToken,
                reason: expiresAt == nil ? "There is no access token." : "The access token has expired."
            ) { [client] in
                try await client.checkAccess()
                return HealingResult(text: "A new one was fetched.", changed: 1)
            }
        ]
    }

    private func pruneNeeds() async throws -> [HealingNeed] {
        let retention = Mirror.Retention(
            history: mirror.now() - Int64(options.historyDays) * Timestamp.day,
            changes: mirror.now() - Int64(options.changesDays) * Timestamp.day)
        let old = try await mirror.count(olderThan: retention)
        guard !old.isEmpty else { return [] }
        @Sendable func list(_ rows: [String: Int]) -> String {
            rows.sorted { $0.key < $1.key }.map { "\($0.value) of \($0.key)" }.joined(separator: ", ")
        }
        return [
            HealingNeed(action: .prune, reason: "Kept longer than their retention: \(list(old)).") { [mirror] in
                let removed = try await mirror.prune(olderThan: retention)
                return HealingResult(text: "Removed: \(list(removed)).", changed: removed.values.reduce(0, +))
            }
        ]
    }
}

extension Error {
    /// Whether another run has the same entities, so that trying again later is enough.
    var isConflict: Bool {
        if let error = self as? MirrorError, case .leased = error { return true }
        return self is SyncRunsError
    }
}
