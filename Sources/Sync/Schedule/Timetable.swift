import Database
import Foundation
import Mirror

/// Decides what is due, without clock or I/O.
struct Timetable: Sendable {
    let schedule: Schedule
    let zone: TimeZone

    /// How many times as long the interval between sweeps is while webhooks are seen to arrive.
    static let slowdown = 8

    /// How many times as long a task's interval is.
    ///
    /// - Parameter live: the webhooks that can be relied on.
    static func factor(of task: ScheduledTask, live: LiveWebhooks) -> Int {
        guard task.kind == .incremental, case .every = task.trigger else { return 1 }
        return live.cover(task.entities) ? slowdown : 1
    }

    /// When a task is due, in microseconds since 1970; nil where it never is.
    ///
    /// What was missed while no server ran is due at once, and once.
    func dueAt(_ task: ScheduledTask, _ record: ScheduleRecord?, live: LiveWebhooks, now: Int64) -> Int64? {
        guard let record else {
            // A task with a certain hour waits for it; a task with an interval begins now.
            if case .every = task.trigger { return now }
            return next(task, after: now, live: live, random: 0)
        }
        if hasChanged(task, record), record.dueAt > now {
            guard case .every = task.trigger else { return next(task, after: now, live: live, random: 0) }
            return record.startedAt.map { next(task, after: $0, live: live, random: 0) } ?? now
        }
        // Webhooks may have stopped since that was decided.
        guard let startedAt = record.startedAt, let latest = next(task, after: startedAt, live: live, random: 1) else {
            return record.dueAt
        }
        return min(record.dueAt, latest)
    }

    /// Whether the configuration has changed since it was decided when the task is due.
    func hasChanged(_ task: ScheduledTask, _ record: ScheduleRecord) -> Bool {
        record.trigger.map { $0 != task.trigger.description } ?? false
    }

    /// When a task is due again.
    ///
    /// - Parameter random: in 0..<1, the share of the jitter by which it is late.
    func next(_ task: ScheduledTask, after time: Int64, live: LiveWebhooks, random: Double) -> Int64? {
        let date = Date(timeIntervalSince1970: Double(time) / 1_000_000)
        let factor = Self.factor(of: task, live: live)
        return task.trigger.next(after: date, in: zone, factor: factor).map { next in
            let late = random * task.trigger.jitter(at: next, in: zone)
            return Timestamp.instant(of: next + late)
        }
    }
}
