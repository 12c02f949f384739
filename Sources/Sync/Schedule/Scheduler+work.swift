import Catalog
import Logging
import Mirror
import ZohoBooks

extension Scheduler {
    func perform(_ batch: [ScheduledTask]) async {
        defer { for task in batch { running.remove(task.name) } }
        do {
            try await leases.holdFree(batch.map { Self.lease($0) }) { held in
                // Another server may have done it between our look and our lease.
                let due = Set(try await dueTasks().map(\.name))
                let tasks = batch.filter { due.contains($0.name) && held.contains(Self.lease($0)) }
                try await perform(tasks, kind: batch[0].kind)
            }
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("A scheduled task could not be done", metadata: ["error": "\(error)"])
        }
    }

    private static func lease(_ task: ScheduledTask) -> String { "schedule \(task.name)" }

    private func perform(_ tasks: [ScheduledTask], kind: ScheduledTask.Kind) async throws {
        guard !tasks.isEmpty else { return }
        let startedAt = mirror.now()
        for task in tasks {
            try await mirror.save(
                ScheduleRecord(
                    name: task.name, dueAt: startedAt, startedAt: startedAt, state: .running,
                    trigger: task.trigger.description))
        }
        let outcomes: [TaskOutcome]
        switch kind {
        case .incremental, .full: outcomes = await synchronise(tasks, kind)
        case .reconciliation: outcomes = await each(tasks) { try await reconcile($0) }
        case .health: outcomes = await each(tasks) { _ in (.completed, await work.checkHealth()) }
        case .healing: outcomes = await each(tasks) { _ in try await heal() }
        }
        let live = try await LiveWebhooks(mirror)
        for outcome in outcomes {
            let (task, endedAt) = (outcome.task, mirror.now())
            let dueAt =
                outcome.isPostponed
                ? endedAt + Self.pause
                : timetable.next(task, after: startedAt, live: live, random: random()) ?? endedAt
            let record = ScheduleRecord(
                // What took longer than its interval comes again after it, not at once.
                name: task.name, dueAt: max(dueAt, endedAt + 1_000_000), startedAt: startedAt, endedAt: endedAt,
                state: outcome.state, note: outcome.note, trigger: task.trigger.description)
            try await uncancelled { [mirror] in try await mirror.save(record) }
        }
    }

    private struct TaskOutcome {
        let task: ScheduledTask
        let state: ScheduleRecord.State
        var note: String?

        var isPostponed: Bool { state == .postponed }
    }

    private func each(
        _ tasks: [ScheduledTask], _ body: (ScheduledTask) async throws -> (state: ScheduleRecord.State, note: String?)
    ) async -> [TaskOutcome] {
        var outcomes: [TaskOutcome] = []
        for task in tasks {
            do {
                let (state, note) = try await body(task)
                outcomes.append(TaskOutcome(task: task, state: state, note: note))
            } catch {
                outcomes.append(failure(of: task, error))
            }
        }
        return outcomes
    }

    private func failure(of task: ScheduledTask, _ error: any Error) -> TaskOutcome {
        if error is CancellationError || error.isConflict {
            return TaskOutcome(task: task, state: .postponed, note: "\(error)")
        }
        logger.warning("A scheduled task failed", metadata: ["task": "\(task.name)", "error": "\(error)"])
        return TaskOutcome(task: task, state: .failed, note: "\(error)")
    }

    private func synchronise(_ tasks: [ScheduledTask], _ kind: ScheduledTask.Kind) async -> [TaskOutcome] {
        // A sync of one of the entities, begun by a person, keeps only itself waiting.
        let held = (try? await mirror.leases()) ?? []
        let busy = Set(held.filter { $0.state == .held && !leases.isDead($0.process) }.map(\.name))
        let (waiting, free) = tasks.reduce(into: ([ScheduledTask](), [ScheduledTask]())) { result, task in
            let isBusy = task.entities.contains { busy.contains(Lease.name(of: $0)) }
            if isBusy { result.0.append(task) } else { result.1.append(task) }
        }
        var outcomes = waiting.map {
            TaskOutcome(task: $0, state: .postponed, note: "Another run is reading its entities.")
        }
        guard !free.isEmpty else { return outcomes }
        var options = SyncOptions()
        options.entities = free.flatMap(\.entities)
        options.isUnattended = true
        options.mode = kind == .full ? .full : .automatic
        do {
            let report = try await work.synchronise(options)
            let runs = Dictionary(report.runs.map { ($0.entity, $0) }, uniquingKeysWith: { $1 })
            outcomes += free.map { task in
                let own = task.entities.compactMap { runs[$0] }
                let failed = own.first { $0.state == .failed || $0.state == .interrupted }
                return TaskOutcome(
                    task: task, state: failed == nil && !own.isEmpty ? .completed : .failed,
                    note: failed?.lastError ?? own.summary)
            }
        } catch {
            outcomes += free.map { failure(of: $0, error) }
        }
        return outcomes
    }

    private func reconcile(_ task: ScheduledTask) async throws -> (state: ScheduleRecord.State, note: String?) {
        var options = ReconciliationOptions()
        options.entities = task.entities
        options.isUnattended = true
        let report = try await work.reconcile(options)
        let drift = report.entities.reduce(0) { $0 + $1.findings.drift.count }
        let note = report.entities.compactMap(\.findings.note).first
        return (.completed, note ?? (drift == 0 ? "equal" : "\(drift) differences") + ", \(report.calls) calls")
    }

    private func heal() async throws -> (state: ScheduleRecord.State, note: String?) {
        let records = try await work.heal()
        let failed = records.first { $0.state.isOpen }
        let note = records.isEmpty ? "nothing to do" : records.map(\.action).joined(separator: ", ")
        return (
            failed == nil ? .completed : .failed, failed.map { "\($0.action): \($0.reason) \($0.outcome)" } ?? note
        )
    }
}

extension [Run] {
    /// What the runs did, in a few words.
    fileprivate var summary: String {
        let changed = reduce(0) { $0 + $1.progress.changed }
        let calls = reduce(0) { $0 + $1.progress.calls }
        return "\(changed) changed, \(calls) calls"
    }
}
