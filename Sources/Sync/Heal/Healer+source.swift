import Catalog
import Database
import Mirror
import ZohoBooks

extension Healer {
    /// Microseconds until an incomplete comparison is repeated, once repeating it has not helped.
    private static let comparisonPause: Int64 = 6 * 3_600_000_000

    // MARK: - What was missed

    func catchUpNeeds() async throws -> [HealingNeed] {
        guard let uptime = try await mirror.uptime() else { return [] }
        let isDown = mirror.now() - uptime.seenAt > Self.downtime
        let gap: (from: Int64, until: Int64)
        if isDown {
            gap = (uptime.seenAt, uptime.seenAt)
        } else if let downSince = uptime.downSince {
            gap = (downSince, uptime.upSince)
        } else {
            return []
        }
        let busy = Set(try await mirror.leases().filter { $0.state == .held && !isDead($0.process) }.map(\.name))
        var missed: [String] = []
        for mapping in Catalog.entities {
            let name = mapping.entity.name
            // What is being read right now is caught up by that.
            guard !busy.contains(Lease.name(of: name)) else { continue }
            // What was never loaded has nothing to catch up: a person or the schedule loads it.
            if let listedAt = try await mirror.cursor(of: name).listedAt, listedAt < gap.until { missed.append(name) }
        }
        guard !missed.isEmpty else { return [] }
        let end = isDown ? "" : " to \(Timestamp.seconds(gap.until))"
        return [
            HealingNeed(
                action: .catchUp,
                reason: "No server ran from \(Timestamp.seconds(gap.from))\(end): \(missed.joined(separator: ", "))."
            ) { [missed] in try await catchUp(missed) }
        ]
    }

    private func catchUp(_ entities: [String]) async throws -> HealingResult {
        var options = SyncOptions()
        options.entities = entities
        options.isUnattended = true
        options.deletions = self.options.deletions
        while !options.entities.isEmpty {
            do {
                let report = try await synchronise(options)
                let changed = report.runs.reduce(0) { $0 + $1.progress.changed }
                return HealingResult(
                    text: "\(report.runs.count) entities were read, \(changed) records changed.", changed: changed)
            } catch SyncRunsError.running(let entity, _) {
                options.entities.removeAll { $0 == entity }
            } catch MirrorError.leased(let name, let holder, let left) {
                let before = options.entities.count
                options.entities.removeAll { Lease.name(of: $0) == name }
                if options.entities.count == before {
                    throw MirrorError.leased(name: name, holder: holder, secondsLeft: left)
                }
            }
        }
        return HealingResult(text: "Another run is already reading them.", changed: 0)
    }

    // MARK: - What the last comparison found

    func driftNeeds() async throws -> [HealingNeed] {
        var needs: [HealingNeed] = []
        var drifted: [(entity: String, count: Int)] = []
        var unfinished: [String] = []
        var unverified: [String] = []
        for mapping in Catalog.entities {
            let name = mapping.entity.name
            guard let last = try await mirror.reconciliations(entity: name, limit: 1).first else { continue }
            guard last.state == .different || last.state == .incomplete else { continue }
            if last.needsConsent {
                needs.append(HealingNeed(action: .repairDrift, reason: "\(name): \(last.note ?? "")", act: nil))
                // The rest can be repaired without an answer: a repair leaves deletions alone while the question is
                // open.
                guard last.open.contains(where: { $0.kind != .extra }) || last.unverified != nil else { continue }
            }
            guard isWorthRepairing(last) else { continue }
            if last.needsDetailsAlone {
                unverified.append(name)
            } else if last.driftCount > 0 {
                drifted.append((name, last.driftCount))
            } else {
                unfinished.append(name)
            }
        }
        var options = ReconciliationOptions()
        options.isUnattended = true
        options.repairs = true
        options.sample = 0
        options.deletions = self.options.deletions
        if !unverified.isEmpty {
            options.entities = unverified
            options.readsUnverifiedDetailsAlone = true
            let list = unverified.joined(separator: ", ")
            needs.append(
                HealingNeed(
                    action: .repairDrift, reason: "A comparison has left details unverified: \(list)."
                ) { [options] in try await repair(options) })
        }
        guard !drifted.isEmpty || !unfinished.isEmpty else { return needs }
        options.entities = drifted.map(\.entity) + unfinished
        options.readsUnverifiedDetailsAlone = false
        var reasons: [String] = []
        if !drifted.isEmpty {
            let list = drifted.map { "\($0.count) of \($0.entity)" }.joined(separator: ", ")
            reasons.append("The last comparison found differences: \(list).")
        }
        if !unfinished.isEmpty {
            reasons.append("The last comparison was not complete: \(unfinished.joined(separator: ", ")).")
        }
        needs.append(
            HealingNeed(action: .repairDrift, reason: reasons.joined(separator: " ")) { [options] in
                try await repair(options)
            })
        return needs
    }

    private func isWorthRepairing(_ last: Reconciliation) -> Bool {
        // Syncs read outstanding details.
        guard last.driftCount > 0 || last.isUnfinished || last.unverified != nil else { return false }
        if options.isAskedFor || !last.wasRepair { return true }
        // What a repair could not repair, another one cannot either; what it did not get to, it can.
        return last.state == .incomplete && mirror.now() - last.endedAt >= Self.comparisonPause
    }

    private func repair(_ options: ReconciliationOptions) async throws -> HealingResult {
        let report = try await Reconciler(
            client: client, mirror: mirror, options: options, process: process, isDead: isDead
        ).run()
        let repaired = report.entities.reduce(0) { $0 + $1.findings.drift.count(where: \.isRepaired) }
        let done = "\(repaired) records were repaired in \(report.calls) calls"
        let asking = report.entities.filter(\.findings.needsConsent)
        if !asking.isEmpty {
            let notes = asking.map { "\($0.entity): \($0.findings.note ?? "")" }.joined(separator: " ")
            return HealingResult(state: .question, text: "\(done). \(notes)", changed: repaired)
        }
        let left = report.entities.filter { $0.findings.state == .different }.map(\.entity)
        if !left.isEmpty {
            let text = "\(done), but some differences in \(left.joined(separator: ", ")) could not be repaired."
            return HealingResult(state: .failed, text: text, changed: repaired)
        }
        let rest = report.entities.filter { $0.findings.state == .incomplete }
        if let note = rest.first?.findings.note {
            let text = "\(done); the rest of \(rest[0].entity) follows later: \(note)"
            return HealingResult(state: .waiting, text: text, changed: repaired)
        }
        let equal =
            report.detailsNotRead == 0 && !options.readsUnverifiedDetailsAlone
            ? "source and mirror are equal."
            : "nothing else is known to differ."
                + (report.detailsNotRead == 0
                    ? "" : " The details of \(report.detailsNotRead) records were not read.")
        return HealingResult(text: "\(done); \(equal)", changed: repaired)
    }
}

extension Reconciliation {
    /// Whether all that a repair can still do is to read unverified details.
    fileprivate var needsDetailsAlone: Bool {
        unverified != nil && !isUnfinished && !needsConsent && (driftCount == 0 || wasRepair)
    }
}
