import Foundation
import Mirror

/// Decides what is due; a value without clock or I/O.
struct Timetable: Sendable {
    let schedule: Schedule
    let zone: TimeZone

    /// How many times as rarely sweeps come while webhooks are seen to arrive.
    static let patience = 8

    /// What the webhooks of an entity were seen to do.
    struct Evidence: Sendable, Hashable {
        /// When a delivery came last, in microseconds since 1970.
        var heardAt: Int64?
        /// When a sweep last found a change that no delivery had announced.
        var surprisedAt: Int64?

        /// Days for which silence alone says nothing: there may have been no change.
        private static let memory: Int64 = 7 * 86_400_000_000

        /// Whether webhooks can be relied on.
        func isAlive(at time: Int64) -> Bool {
            guard let heardAt, time - heardAt < Self.memory else { return false }
            return surprisedAt.map { $0 < heardAt } ?? true
        }
    }

    /// How many times as rarely a task comes.
    ///
    /// - Parameter live: the entities whose webhooks can be relied on.
    static func factor(of task: ScheduledTask, live: Set<String>) -> Int {
        guard task.kind == .incremental, case .every = task.trigger else { return 1 }
        return task.entities.allSatisfy(live.contains) ? patience : 1
    }

    /// When a task is due, in microseconds since 1970; nil where it never is.
    ///
    /// What was missed while no server ran is due at once, and once.
    func dueAt(_ task: ScheduledTask, _ record: ScheduleRecord?, live: Set<String>, now: Int64) -> Int64? {
        guard let record else {
            // What comes at a certain hour waits for it; what comes all the time begins now.
            if case .every = task.trigger { return now }
            return next(task, after: now, live: live, random: 0)
        }
        // Webhooks may have fallen silent since it was decided, or the configuration may have changed.
        guard let startedAt = record.startedAt, let latest = next(task, after: startedAt, live: live, random: 1) else {
            return record.dueAt
        }
        return min(record.dueAt, latest)
    }

    /// When a task is due again.
    ///
    /// - Parameter random: in 0..<1, how much of the jitter it comes late.
    func next(_ task: ScheduledTask, after time: Int64, live: Set<String>, random: Double) -> Int64? {
        let date = Date(timeIntervalSince1970: Double(time) / 1_000_000)
        let factor = Self.factor(of: task, live: live)
        return task.trigger.next(after: date, in: zone, factor: factor).map {
            Int64(($0.timeIntervalSince1970 + random * task.trigger.jitter) * 1_000_000)
        }
    }
}
