import AsyncAlgorithms
import Catalog
package import Foundation
package import Logging
package import Mirror
import ServiceLifecycle
import Synchronization
import ZohoBooks

/// The work that a scheduler starts.
package struct ScheduledWork: Sendable {
    /// Synchronises; throws ``SyncRunsError`` or ``MirrorError`` where one of the entities is being synchronised.
    package let synchronise: @Sendable (SyncOptions) async throws -> SyncReport
    /// Compares; throws ``MirrorError`` where one of the entities is being synchronised.
    package let reconcile: @Sendable (ReconciliationOptions) async throws -> ReconciliationReport
    /// Inspects everything; returns in a few words what it found.
    package let checkHealth: @Sendable () async -> String
    /// Does what is needed now.
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

/// Starts what is due; of all servers on one mirror, only one does each task.
package struct Scheduler: Sendable {
    let mirror: Mirror
    let timetable: Timetable
    let leases: Leases
    let work: ScheduledWork
    /// In 0..<1.
    let random: @Sendable () -> Double
    let logger: Logger
    /// The names of the tasks that this process is working on.
    let running = RunningTasks()

    private static let emergency = "health without a database"
    /// How often it looks for due tasks.
    private static let tick = Duration.seconds(15)
    /// How long that may take before the database counts as gone.
    private static let timeout = Duration.seconds(30)
    /// Microseconds after which a task whose entities another run held is tried again.
    static let pause: Int64 = 300_000_000

    /// - Parameters:
    ///   - zone: the zone in which cron expressions are read.
    ///   - process: host and process, for people and for the leases.
    ///   - isDead: whether the process of this name is known to have ended.
    ///   - random: in 0..<1; spreads what is due at once.
    package init(
        _ schedule: Schedule, zone: TimeZone = .current, mirror: Mirror, process: String,
        isDead: @escaping @Sendable (String) -> Bool, work: ScheduledWork,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }, logger: Logger
    ) {
        self.mirror = mirror
        timetable = Timetable(schedule: schedule, zone: zone)
        leases = Leases(mirror: mirror, process: process, isDead: isDead)
        self.work = work
        self.random = random
        self.logger = logger
    }

    /// Works until the program shuts down; tasks that run then stop at their next commit.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            let ticks = AsyncTimerSequence(interval: Self.tick, clock: .continuous).map { _ in () }
            for await _ in chain([()].async, ticks).cancelOnGracefulShutdown() {
                for batch in await begin() { group.addTask { await perform(batch) } }
            }
            group.cancelAll()
        }
    }

    /// Does everything that is due now, and returns when it is done.
    package func runDue() async {
        let batches = await begin()
        await withDiscardingTaskGroup { group in
            for batch in batches { group.addTask { await perform(batch) } }
        }
    }

    /// The tasks, when they are due, and how they last went.
    package static func overview(
        _ schedule: Schedule, zone: TimeZone = .current, mirror: Mirror
    ) async throws -> [(task: ScheduledTask, dueAt: Int64?, record: ScheduleRecord?, isSlow: Bool)] {
        let timetable = Timetable(schedule: schedule, zone: zone)
        let records = Dictionary(try await mirror.scheduleRecords().map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let live = try await LiveWebhooks(mirror)
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
            let due = try await within(Self.timeout) {
                // What was missed while no server ran is not left until the next hour.
                try await mirror.noteUptime(tolerance: Healer.downtime, waking: healing)
                return try await dueTasks()
            }.filter { running.insert($0.name) }
            // What is listed is listed together, so that every record is usable before the first detail is read.
            return Dictionary(grouping: due, by: \.kind).map(\.value)
        } catch {
            logger.warning("The schedule cannot be read", metadata: ["error": "\(error)"])
            // Then the database is gone, which somebody has to know first of all.
            if !Task.isCancelled, running.insert(Self.emergency) {
                _ = await work.checkHealth()
                running.remove(Self.emergency)
            }
            return []
        }
    }

    private var healing: String? { timetable.schedule.tasks.first { $0.kind == .healing }?.name }

    func dueTasks() async throws -> [ScheduledTask] {
        let now = mirror.now()
        let records = Dictionary(try await mirror.scheduleRecords().map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let live = try await LiveWebhooks(mirror)
        var due: [ScheduledTask] = []
        for task in timetable.schedule.tasks {
            guard let dueAt = timetable.dueAt(task, records[task.name], live: live, now: now) else { continue }
            let record = records[task.name]
            if dueAt <= now {
                due.append(task)
            } else if record.map({ timetable.hasChanged(task, $0) }) ?? true {
                // Kept, so that it is known to have been missed if no server runs then.
                var kept = record ?? ScheduleRecord(name: task.name, dueAt: dueAt)
                (kept.dueAt, kept.trigger) = (dueAt, task.trigger.description)
                try await mirror.save(kept)
            }
        }
        return due
    }
}

/// The names of the tasks that this process is working on.
final class RunningTasks: Sendable {
    private let names = Mutex<Set<String>>([])

    /// - Returns: false where it is running already.
    func insert(_ name: String) -> Bool { names.withLock { $0.insert(name).inserted } }
    func remove(_ name: String) { names.withLock { _ = $0.remove(name) } }
}
