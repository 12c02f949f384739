import AsyncAlgorithms
import Catalog
package import Foundation
package import Logging
package import Mirror
import ServiceLifecycle
import Synchronization
import ZohoBooks

/// What a scheduler has done by others.
package struct ScheduledWork: Sendable {
    /// Synchronises; throws ``SyncRunsError`` or ``MirrorError`` where one of the entities is being synchronised.
    package let synchronise: @Sendable (SyncOptions) async throws -> SyncReport
    package let reconcile: @Sendable (ReconciliationOptions) async throws -> ReconciliationReport
    /// Looks at everything; tells in a few words what it found.
    package let checkHealth: @Sendable () async -> String
    package let heal: @Sendable () async throws -> [HealingRecord]

    package init(
        synchronise: @escaping @Sendable (SyncOptions) async throws -> SyncReport,
        reconcile: @escaping @Sendable (ReconciliationOptions) async throws -> ReconciliationReport,
        checkHealth: @escaping @Sendable () async -> String,
        heal: @escaping @Sendable () async throws -> [HealingRecord]
    ) {
        self.synchronise = synchronise
        self.reconcile = reconcile
        self.checkHealth = checkHealth
        self.heal = heal
    }
}

/// Begins what is due, of all servers on one mirror in one of them.
package struct Scheduler: Sendable {
    private let mirror: Mirror
    private let timetable: Timetable
    private let leases: Leases
    private let work: ScheduledWork
    /// In 0..<1.
    private let random: @Sendable () -> Double
    private let logger: Logger
    /// The names of the tasks that this process is about.
    private let underWay = Underway()

    private static let emergency = "health without a database"
    /// How often it looks.
    private static let tick = Duration.seconds(15)
    /// Microseconds after which a task is tried again that met another one on its entities.
    private static let pause: Int64 = 300_000_000

    package init(
        _ schedule: Schedule, zone: TimeZone = .current, mirror: Mirror, holder: String,
        isDead: @escaping @Sendable (String) -> Bool, work: ScheduledWork,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }, logger: Logger
    ) {
        self.mirror = mirror
        timetable = Timetable(schedule: schedule, zone: zone)
        leases = Leases(mirror: mirror, process: holder, isDead: isDead)
        self.work = work
        self.random = random
        self.logger = logger
    }

    /// Works until the program shuts down; what is under way then stops at its next commit.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            let ticks = AsyncTimerSequence(interval: Self.tick, clock: .continuous).map { _ in () }
            for await _ in chain([()].async, ticks).cancelOnGracefulShutdown() {
                for batch in await begin() { group.addTask { await perform(batch) } }
            }
            group.cancelAll()
        }
    }

    /// Does everything that is due now, and comes back when it is done.
    package func runDue() async {
        let batches = await begin()
        await withDiscardingTaskGroup { group in
            for batch in batches { group.addTask { await perform(batch) } }
        }
    }

    /// The tasks with when they are due, and what came of them last.
    package static func overview(
        _ schedule: Schedule, zone: TimeZone = .current, mirror: Mirror
    ) async throws -> [(task: ScheduledTask, dueAt: Int64?, record: ScheduleRecord?, isSlow: Bool)] {
        let timetable = Timetable(schedule: schedule, zone: zone)
        let records = Dictionary(try await mirror.scheduleRecords().map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let live = try await Timetable.liveEntities(mirror)
        return schedule.tasks.map { task in
            let record = records[task.name]
            return (
                task, timetable.dueAt(task, record, live: live, now: mirror.now()), record,
                Timetable.factor(of: task, live: live) > 1
            )
        }
    }

    // MARK: - What is due

    private func begin() async -> [[ScheduledTask]] {
        do {
            if try await mirror.noteServerLife() { try await healNow() }
            let due = try await dueTasks().filter { underWay.insert($0.name) }
            // What is listed is listed together, so that every record is usable before the first detail is read.
            return Dictionary(grouping: due, by: \.kind).map(\.value)
        } catch {
            logger.warning("The schedule cannot be looked at", metadata: ["error": "\(error)"])
            // Then the database is gone, which is the first thing that somebody has to know.
            if !Task.isCancelled, underWay.insert(Self.emergency) {
                _ = await work.checkHealth()
                underWay.remove(Self.emergency)
            }
            return []
        }
    }

    /// What was missed while no server ran is not left until the next hour.
    private func healNow() async throws {
        guard let task = timetable.schedule.tasks.first(where: { $0.kind == .healing }),
            var record = try await mirror.scheduleRecords().first(where: { $0.name == task.name })
        else { return }
        record.dueAt = mirror.now()
        try await mirror.save(record)
    }

    private func dueTasks() async throws -> [ScheduledTask] {
        let now = mirror.now()
        let records = Dictionary(try await mirror.scheduleRecords().map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let live = try await Timetable.liveEntities(mirror)
        var due: [ScheduledTask] = []
        for task in timetable.schedule.tasks {
            guard let dueAt = timetable.dueAt(task, records[task.name], live: live, now: now) else { continue }
            if dueAt <= now {
                due.append(task)
            } else if records[task.name] == nil {
                // Kept, so that it is known to have been missed if no server runs then.
                try await mirror.save(ScheduleRecord(name: task.name, dueAt: dueAt))
            }
        }
        return due
    }

    // MARK: - Doing it

    private func perform(_ batch: [ScheduledTask]) async {
        defer { for task in batch { underWay.remove(task.name) } }
        do {
            try await leases.holdFree(batch.map { Self.lease($0) }) { held in
                // Another server may have done it between our look and our lease.
                let due = Set(try await dueTasks().map(\.name))
                let tasks = batch.filter { due.contains($0.name) && held.contains(Self.lease($0)) }
                try await perform(tasks, kind: batch[0].kind)
            }
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("A task of the schedule could not be done", metadata: ["error": "\(error)"])
        }
    }

    private static func lease(_ task: ScheduledTask) -> String { "schedule \(task.name)" }

    private func perform(_ tasks: [ScheduledTask], kind: ScheduledTask.Kind) async throws {
        guard !tasks.isEmpty else { return }
        let startedAt = mirror.now()
        for task in tasks {
            try await mirror.save(
                ScheduleRecord(name: task.name, dueAt: startedAt, startedAt: startedAt, state: "running"))
        }
        let outcomes: [Ending]
        switch kind {
        case .incremental, .full: outcomes = await synchronise(tasks, kind)
        case .reconciliation: outcomes = await each(tasks) { try await reconcile($0) }
        case .health: outcomes = await each(tasks) { _ in ("completed", await work.checkHealth()) }
        case .healing: outcomes = await each(tasks) { _ in try await heal() }
        }
        let live = try await Timetable.liveEntities(mirror)
        for outcome in outcomes {
            let (task, endedAt) = (outcome.task, mirror.now())
            let dueAt =
                outcome.isPostponed
                ? endedAt + Self.pause
                : timetable.next(task, after: startedAt, live: live, random: random()) ?? endedAt
            let record = ScheduleRecord(
                // What took longer than its interval comes again after it, not at once.
                name: task.name, dueAt: max(dueAt, endedAt + 1_000_000), startedAt: startedAt, endedAt: endedAt,
                state: outcome.state, note: outcome.note)
            try await uncancelled { [mirror] in try await mirror.save(record) }
        }
    }

    private struct Ending {
        let task: ScheduledTask
        let state: String
        var note: String?

        var isPostponed: Bool { state == "postponed" }
    }

    private func each(
        _ tasks: [ScheduledTask], _ body: (ScheduledTask) async throws -> (state: String, note: String?)
    ) async -> [Ending] {
        var outcomes: [Ending] = []
        for task in tasks {
            do {
                let (state, note) = try await body(task)
                outcomes.append(Ending(task: task, state: state, note: note))
            } catch {
                outcomes.append(failure(of: task, error))
            }
        }
        return outcomes
    }

    private func failure(of task: ScheduledTask, _ error: any Error) -> Ending {
        switch error {
        case is MirrorError, is SyncRunsError, is CancellationError:
            return Ending(task: task, state: "postponed", note: "\(error)")
        default:
            logger.warning(
                "A task of the schedule has failed", metadata: ["task": "\(task.name)", "error": "\(error)"])
            return Ending(task: task, state: "failed", note: "\(error)")
        }
    }

    private func synchronise(_ tasks: [ScheduledTask], _ kind: ScheduledTask.Kind) async -> [Ending] {
        // A sync of one of the entities, begun by a person, keeps only itself waiting.
        let held = (try? await mirror.leases()) ?? []
        let busy = Set(held.filter { $0.isLive && !leases.isDead($0.process) }.map(\.name))
        let (waiting, free) = tasks.reduce(into: ([ScheduledTask](), [ScheduledTask]())) { result, task in
            let isBusy = task.entities.contains { busy.contains(Leases.name(of: $0)) }
            if isBusy { result.0.append(task) } else { result.1.append(task) }
        }
        var outcomes = waiting.map {
            Ending(task: $0, state: "postponed", note: "Its entities are being read by another run.")
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
                return Ending(
                    task: task, state: failed == nil && !own.isEmpty ? "completed" : "failed",
                    note: failed?.lastError ?? own.summary)
            }
        } catch {
            outcomes += free.map { failure(of: $0, error) }
        }
        return outcomes
    }

    private func reconcile(_ task: ScheduledTask) async throws -> (state: String, note: String?) {
        var options = ReconciliationOptions()
        options.entities = task.entities
        options.isUnattended = true
        let report = try await work.reconcile(options)
        let drift = report.entities.reduce(0) { $0 + $1.findings.drift.count }
        let note = report.entities.compactMap(\.findings.note).first
        return ("completed", note ?? (drift == 0 ? "equal" : "\(drift) differences") + ", \(report.calls) calls")
    }

    private func heal() async throws -> (state: String, note: String?) {
        let records = try await work.heal()
        let failed = records.first { !$0.isDone }
        let note = records.isEmpty ? "nothing needed it" : records.map(\.action).joined(separator: ", ")
        return (
            failed == nil ? "completed" : "failed", failed.map { "\($0.action): \($0.reason) \($0.outcome)" } ?? note
        )
    }
}

extension Timetable {
    /// The entities whose webhooks can be relied on.
    static func liveEntities(_ mirror: Mirror) async throws -> Set<String> {
        let now = mirror.now()
        let since = now - 7 * 86_400_000_000
        var evidence: [String: Evidence] = [:]
        for arrival in try await mirror.arrivals(since: since) where arrival.kind == .received {
            evidence[arrival.subject, default: Evidence()].heardAt = max(
                arrival.lastAt, evidence[arrival.subject]?.heardAt ?? 0)
        }
        for (entity, change) in try await mirror.unannouncedChanges(since: since) {
            evidence[entity, default: Evidence()].surprisedAt = change.lastAt
        }
        return Set(evidence.filter { $0.value.isAlive(at: now) }.keys)
    }
}

extension Mirror {
    /// Keeps that a server runs, and since when none had run before.
    ///
    /// - Returns: whether none had run.
    fileprivate func noteServerLife() async throws -> Bool {
        let time = now()
        var life =
            try await scheduleRecords().first { $0.name == ServerLife.name }
            ?? ScheduleRecord(name: ServerLife.name, dueAt: time, startedAt: time)
        // Any number of servers may run: it was down where none of them was seen.
        let seenAt = life.endedAt ?? time
        let wasDown = time - seenAt > Healer.downtime * 1_000_000
        if wasDown {
            life.dueAt = seenAt
            life.startedAt = time
        }
        life.endedAt = time
        life.state = "running"
        try await save(life)
        return wasDown
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

/// The names that this process is about.
private final class Underway: Sendable {
    private let names = Mutex<Set<String>>([])

    /// - Returns: false where it is there already.
    func insert(_ name: String) -> Bool { names.withLock { $0.insert(name).inserted } }
    func remove(_ name: String) { names.withLock { _ = $0.remove(name) } }
}
