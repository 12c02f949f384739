import Catalog
import Database
import Mirror
import ZohoBooks

extension HealthInspector {
    // MARK: - What is being done

    func workChecks() async throws -> [HealthCheck] {
        let now = mirror.now()
        let depth = try await mirror.inboxDepth()
        let age = depth.oldestReceivedAt.map { Double(now - $0) / 1_000_000 } ?? 0
        let letters = Double(try await mirror.deadLetterCount())
        var checks = [
            thresholds.judge(
                "inbox_depth", Double(depth.count),
                "Deliveries arrive faster than they are applied, or they are waiting for calls to Zoho. Look at "
                    + "last_error in sync_inbox."),
            thresholds.judge(
                "inbox_age_seconds", age.rounded(),
                "The oldest delivery has been waiting too long. Look at last_error in sync_inbox, and check that "
                    + "zohosync serve is running."
            ),
            thresholds.judge(
                "dead_letters", letters,
                "Run zohosync dead-letters, fix the cause, then run zohosync dead-letters retry."),
        ]
        let work = try await mirror.workState()
        checks += leaseChecks(work)
        checks += runChecks(work, now)
        return checks
    }

    /// Workers prove that they are alive by a lease that they renew between deliveries.
    ///
    /// Those of a process that has ended are no fault while others work.
    private func leaseChecks(_ work: WorkState) -> [HealthCheck] {
        let known = work.leases.filter { $0.name.hasPrefix(WorkerHeartbeat.prefix) }
        let ended = work.leases.endedProcesses
        let living = known.filter { !ended.contains($0.process) }
        let workers = living.isEmpty ? known : living
        let silence = workers.map { Double(-$0.left) / 1_000_000 + Double(WorkerHeartbeat.seconds) }.max() ?? 0
        let minimumAge = thresholds.minimumAge("leases_stuck")
        let stuck = work.leases.filter { $0.left < -minimumAge && !$0.name.hasPrefix(WorkerHeartbeat.prefix) }
        return [
            workers.isEmpty && expectsWebhooks
                ? HealthCheck("worker_silence_seconds", .warning, 0, "No worker is running. Start zohosync serve.")
                : thresholds.judge(
                    "worker_silence_seconds", max(0, silence.rounded()),
                    "A worker has stopped responding. Restart zohosync serve, or run zohosync heal."),
            thresholds.judge(
                "leases_stuck", Double(stuck.count),
                "Leases have lapsed without being released: \(stuck.map(\.name).joined(separator: ", ")). Run zohosync "
                    + "heal."),
        ]
    }

    private func runChecks(_ work: WorkState, _ now: Int64) -> [HealthCheck] {
        var failed: [String: Int] = [:]
        var endless: [String: Int] = [:]
        // A busy process renews its lease late; its run goes on.
        let held = Set(work.leases.filter { $0.left > -Self.grace }.map(\.name))
        for (name, run) in work.runs {
            if run.state == .failed { failed[name] = 1 }
            guard run.state == .running else { continue }
            let age = now - run.startedAt
            let isAbandoned = age > Self.grace && !held.contains(Lease.name(of: name))
            if isAbandoned || age > thresholds.minimumAge("runs_endless") { endless[name] = 1 }
        }
        return [
            cursorCheck(work, now),
            thresholds.judge(
                "runs_failed", Double(failed.count),
                "The last run of these entities failed; zohosync runs says why.", parts: failed),
            thresholds.judge(
                "runs_endless", Double(endless.count),
                "Runs are taking too long, or their process has died. Run zohosync heal.", parts: endless),
            driftCheck(work),
        ]
    }

    /// Microseconds for which a run may be without its lease before its process counts as dead.
    private static let grace: Int64 = 60_000_000

    /// The age of the oldest copy; entities that the organisation does not have are left out.
    private func cursorCheck(_ work: WorkState, _ now: Int64) -> HealthCheck {
        let name = "cursor_age_seconds"
        let expected = Catalog.entities.map(\.entity.name).filter { !work.absent.contains($0) }
        let missing = expected.filter { work.listedAt[$0] == nil }
        let isPassing = missing.allSatisfy { isFirstLoad(of: $0, work) }
        if missing.count == expected.count {
            let check = HealthCheck(name, .warning, 0, "Nothing has been loaded yet. Run zohosync sync.")
            return isPassing ? check.passing() : check
        }
        var ages: [String: Int] = [:]
        for entity in expected {
            if let listedAt = work.listedAt[entity] { ages[entity] = Int((now - listedAt) / 1_000_000) }
        }
        let oldest = Double(ages.values.max() ?? 0)
        let check = thresholds.judge(
            name, oldest,
            "Some entities were last synced too long ago. Look at zohosync runs and zohosync schedule.",
            parts: ages)
        guard !missing.isEmpty else { return check }
        let incomplete = HealthCheck(
            name, max(check.state, .warning), oldest,
            ["There is no complete copy of \(missing.joined(separator: ", ")). Run zohosync sync.", check.advice]
                .filter { !$0.isEmpty }.joined(separator: " "), parts: ages)
        return isPassing && check.state == .ok ? incomplete.passing() : incomplete
    }

    /// Whether an entity that has no complete copy is read for the first time now, or will be by the schedule.
    private func isFirstLoad(of entity: String, _ work: WorkState) -> Bool {
        let isHeld = work.leases.contains { $0.name == Lease.name(of: entity) && $0.state == .held }
        guard let run = work.runs[entity] else {
            return isHeld
                || schedule.tasks.contains {
                    ($0.kind == .incremental || $0.kind == .full) && $0.entities.contains(entity)
                }
        }
        return isHeld && run.state == .running && (run.kind == .incremental || run.kind == .full)
    }

    /// What the last comparisons found, those that were not complete included: what they did find is known.
    private func driftCheck(_ work: WorkState) -> HealthCheck {
        var drift: [String: Int] = [:]
        var notes: [String] = []
        var questions: [String] = []
        for (name, found) in work.comparisons.sorted(by: { $0.key < $1.key }) {
            guard found.state == .different || found.state == .incomplete else { continue }
            let count = found.driftCount + found.undecidedCount
            if count > 0 || found.state == .different { drift[name] = max(1, count) }
            guard found.state == .incomplete else { continue }
            let note = "\(name): \(found.note ?? "not everything was compared")"
            if found.needsConsent { questions.append(note) } else { notes.append(note) }
        }
        let check = thresholds.judge(
            "drift", Double(drift.values.reduce(0, +)),
            "The last comparison found differences. Run zohosync verify --repair.",
            parts: drift)
        guard let note = questions.first ?? notes.first else { return check }
        let incomplete = "The last comparison was not complete. \(note)"
        return HealthCheck(
            check.name, questions.isEmpty ? max(check.state, .warning) : .critical, check.figure,
            drift.isEmpty || !questions.isEmpty ? incomplete : "\(check.advice) \(incomplete)", parts: check.parts)
    }

    // MARK: - What arrives

    func deliveryChecks() async throws -> [HealthCheck] {
        let since = mirror.now() - Timestamp.day
        let arrivals = try await mirror.arrivals(since: since)
        func parts(_ kind: Arrival.Kind) -> [String: Int] {
            arrivals.filter { $0.kind == kind }.reduce(into: [:]) { $0[$1.subject, default: 0] += $1.number }
        }
        func judge(_ name: String, _ parts: [String: Int], _ advice: String) -> HealthCheck {
            thresholds.judge(name, Double(parts.values.reduce(0, +)), advice, parts: parts)
        }
        let today = Timestamp.text(mirror.now()).prefix(10)
        let received = arrivals.filter { $0.kind == .received && $0.day == today }.reduce(0) { $0 + $1.number }
        return [
            judge(
                "deliveries_unreadable", parts(.unreadable),
                "The body of a workflow rule's webhook is not the default payload. Correct it in Zoho, then look at "
                    + "zohosync dead-letters."),
            judge(
                "deliveries_refused", parts(.refused),
                "Webhooks arrived without the right signature. Compare the secret in Zoho with ZOHOSYNC_WEBHOOK_SECRET."
            ),
            judge(
                "deliveries_turned_away", parts(.turnedAway),
                "Deliveries were larger than 1 MiB or ended early. Their records come with the next sweep. Check the "
                    + "webhook's body in Zoho, and what is between Zoho and this server."),
            judge(
                "deliveries_to_unknown_paths", parts(.unknownPath),
                "Zoho delivers to a path that is not served. Correct the URL of the workflow rule's webhook."),
            thresholds.judge(
                "webhooks_today", Double(received),
                "Zoho is said to drop webhooks beyond 1,000 a day. Sweeps bring what is missed; there is nothing to do."
            ),
            try await silenceCheck(since, arrivals),
        ]
    }

    /// Changes that sweeps found and no delivery had announced.
    private func silenceCheck(_ since: Int64, _ arrivals: [Arrival]) async throws -> HealthCheck {
        let everArrived = try await mirror.arrivals(since: 0).contains { $0.kind != .missed }
        guard expectsWebhooks || everArrived else { return HealthCheck("silent_webhooks", .ok, 0) }
        var heard: [String: (number: Int, lastAt: Int64)] = [:]
        for arrival in arrivals where arrival.kind == .received {
            let known = heard[arrival.subject] ?? (0, 0)
            heard[arrival.subject] = (known.number + arrival.number, max(known.lastAt, arrival.lastAt))
        }
        let unannounced = try await mirror.unannouncedChanges(since: since).filter { entity, change in
            // Zoho has no workflow rule for some modules, so that their silence means nothing.
            guard Catalog.entity(named: entity)?.entity.webhookName != nil else { return false }
            guard let heard = heard[entity] else { return true }
            // They come again, and what was missed is little beside what was not.
            return !(heard.lastAt > change.lastAt && change.records * LiveWebhooks.Evidence.tolerated <= heard.number)
        }
        let silent = unannounced.keys.filter { heard[$0] == nil }.sorted()
        let advice =
            silent.isEmpty
            ? "Sweeps found changes that no webhook had announced. Check the workflow rules for failures in Zoho."
            : "Sweeps found changes, and no webhook came for \(silent.joined(separator: ", ")) within a day. Check the "
                + "workflow rules in Zoho: their URL, their events, and whether they are active."
        return thresholds.judge(
            "silent_webhooks", Double(unannounced.values.reduce(0) { $0 + $1.records }), advice,
            parts: unannounced.mapValues(\.records))
    }
}
