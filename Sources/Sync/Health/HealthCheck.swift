import Foundation
import Mirror
import ZohoBooks

/// One thing that is watched: its state, its figure, and what to do.
package struct HealthCheck: Sendable, Hashable {
    /// What a check has found; docs/states.md draws it.
    package enum State: String, Sendable, Hashable, Comparable, CaseIterable {
        case ok
        case warning
        case critical

        private var rank: Int {
            switch self {
            case .ok: 0
            case .warning: 1
            case .critical: 2
            }
        }

        package static func < (left: State, right: State) -> Bool { left.rank < right.rank }
    }

    package let name: String
    package let state: State
    /// In the check's own unit; -1 where the check cannot be made.
    package let figure: Double
    /// What it means and what to do; empty where all is well, unless a check cannot be made and that is no fault.
    package private(set) var advice: String
    /// The parts of the figure, where it has some: a number by entity, module or path.
    package var parts: [String: Int]?
    /// Whether what was found passes by itself, so that it is shown and nobody is alerted; not kept.
    private(set) var isPassing = false

    package init(
        _ name: String, _ state: State, _ figure: Double, _ advice: String = "", parts: [String: Int]? = nil
    ) {
        self.name = name
        self.state = state
        self.figure = figure
        self.advice = state == .ok ? "" : advice
        self.parts = parts?.isEmpty == true ? nil : parts
    }

    /// Adds a sentence to the advice.
    package mutating func advise(_ sentence: String) { advice += (advice.isEmpty ? "" : " ") + sentence }

    /// The check as one of which nobody is alerted.
    func passing() -> HealthCheck {
        var check = self
        check.isPassing = true
        return check
    }

    /// A check that cannot be made, which is no fault, with what would let it be made.
    static func notMade(_ name: String, _ advice: String) -> HealthCheck {
        var check = HealthCheck(name, .ok, -1)
        check.advice = advice
        return check
    }

    /// A check as it was kept.
    init?(_ record: HealthRecord) {
        guard let state = State(rawValue: record.state) else { return nil }
        let parts = record.parts.flatMap { try? JSONDecoder().decode([String: Int].self, from: Data($0.bytes)) }
        self.init(record.name, state, record.figure, parts: parts)
        advice = record.advice
    }
}

/// The figures above which a check is a warning, and above which it is critical.
package struct HealthThresholds: Sendable, Hashable {
    /// The two thresholds of a check, in the check's own unit.
    package struct Pair: Sendable, Hashable {
        package var warning: Double
        package var critical: Double

        package init(_ warning: Double, _ critical: Double) {
            self.warning = warning
            self.critical = critical
        }
    }

    /// By the name of the check; those of other checks cannot be changed.
    package private(set) var pairs: [String: Pair] = [
        "database_latency_ms": Pair(500, 5_000),
        "inbox_depth": Pair(50, 200),
        "inbox_age_seconds": Pair(1_800, 7_200),
        "dead_letters": Pair(5, 10),
        "worker_silence_seconds": Pair(300, 900),
        "leases_stuck": Pair(0, 5),
        "cursor_age_seconds": Pair(6 * 3_600, 26 * 3_600),
        "runs_failed": Pair(0, 3),
        "runs_endless": Pair(0, 2),
        "drift": Pair(0, 100),
        "silent_webhooks": Pair(4, 49),
        // What strangers can cause is never critical, or they could silence the ping to the outside monitor.
        "deliveries_to_unknown_paths": Pair(0, .infinity),
        "deliveries_refused": Pair(0, .infinity),
        "deliveries_turned_away": Pair(0, .infinity),
        "deliveries_unreadable": Pair(0, 100),
        "webhooks_today": Pair(800, 950),
        "budget_forecast_percent": Pair(90, 100),
        "schedule_percent": Pair(100, 1_000),
        "clock_skew_seconds": Pair(30, 300),
        "disk_used_percent": Pair(85, 95),
    ]

    /// Seconds for which something has to last before such a check counts it.
    package private(set) var seconds = ["leases_stuck": 1_800.0, "runs_endless": 86_400.0]

    package init() {}

    /// Those of a check; 0 and 0 where it has none.
    package subscript(_ name: String) -> Pair { pairs[name] ?? Pair(0, 0) }

    /// Microseconds for which something has to last before this check counts it; 0 where it counts at once.
    func minimumAge(_ name: String) -> Int64 { Int64((seconds[name] ?? 0) * 1_000_000) }

    /// Changes the thresholds of a check.
    package mutating func set(
        _ name: String, warning: Double? = nil, critical: Double? = nil, seconds: Double? = nil
    ) {
        if let warning { pairs[name]?.warning = warning }
        if let critical { pairs[name]?.critical = critical }
        if let seconds, self.seconds[name] != nil { self.seconds[name] = seconds }
    }

    /// Judges a figure.
    func judge(_ name: String, _ figure: Double, _ advice: String, parts: [String: Int]? = nil) -> HealthCheck {
        let pair = self[name]
        let state: HealthCheck.State =
            figure > pair.critical ? .critical : figure > pair.warning ? .warning : .ok
        return HealthCheck(name, state, figure, advice, parts: parts)
    }
}
