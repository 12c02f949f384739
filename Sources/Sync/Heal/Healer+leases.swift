import Mirror

extension Healer {
    /// Seconds after a lease has lapsed in which a slow process may still renew it.
    private static let leaseGrace: Int64 = 60

    func leaseNeeds() async throws -> [HealingNeed] {
        let stuck = try await stuckLeases()
        let claims = try await mirror.claims(where: isDead)
        guard !stuck.isEmpty || claims > 0 else { return [] }
        let names = stuck.map { HolderName.shown($0.name) }.joined(separator: ", ")
        let parts =
            (stuck.isEmpty ? [] : ["Nobody renews the leases \(names)."])
            + (claims == 0 ? [] : ["\(claims) deliveries are claimed by processes that have ended."])
        return [
            HealingNeed(action: .releaseLeases, reason: parts.joined(separator: " ")) { [mirror, isDead] in
                var taken = 0
                for lease in stuck where try await mirror.takeBack(lease) { taken += 1 }
                let released = try await mirror.releaseClaims(where: isDead)
                return HealingResult(
                    text: "\(taken) leases and \(released) claims were released.", changed: taken + released)
            }
        ]
    }

    /// Leases that nobody renews any more.
    ///
    /// A worker's lease proves that the worker is alive, so releasing it would hide a stuck worker: it goes with its
    /// process.
    private func stuckLeases() async throws -> [Lease] {
        let leases = try await mirror.leases()
        let ended = leases.endedProcesses
        return leases.filter { lease in
            if isDead(lease.process) { return true }
            guard lease.name.hasPrefix(WorkerHeartbeat.prefix) else { return lease.left < -Self.leaseGrace * 1_000_000 }
            // Of processes on other machines or in other containers only their leases are known.
            return lease.process != process && ended.contains(lease.process)
        }
    }

    func runNeeds() async throws -> [HealingNeed] {
        let held = Set(try await mirror.leases().filter { $0.state == .held && !isDead($0.process) }.map(\.name))
        let abandoned = try await mirror.runs(state: .running, limit: 1_000).filter {
            !held.contains(Lease.name(of: $0.entity))
        }
        guard !abandoned.isEmpty else { return [] }
        let names = abandoned.map { "\($0.id) of \($0.entity)" }.joined(separator: ", ")
        return [
            HealingNeed(action: .endRuns, reason: "No process works on the runs \(names).") { [mirror] in
                let ended = try await mirror.endAbandonedRuns()
                return HealingResult(text: "\(ended) runs were marked as interrupted.", changed: ended)
            }
        ]
    }
}

extension [Lease] {
    /// Microseconds for which the last lease of a process has lapsed when the process counts as ended: it was renewed
    /// three minutes ago.
    private static var processTimeout: Int64 { Int64(180 - WorkerHeartbeat.seconds) * 1_000_000 }

    /// The processes that no longer renew any lease.
    ///
    /// A process that renews some of its leases is alive, and those that it does not renew are stuck.
    var endedProcesses: Set<String> {
        Set(
            Dictionary(map { ($0.process, $0.left) }, uniquingKeysWith: Swift.max).filter {
                $0.value < -Self.processTimeout
            }
            .keys)
    }
}
