import Mirror
import Synchronization

/// Counters and histograms of this process, and their text for Prometheus.
final class Metrics: Sendable {
    struct Labels: Sendable, Hashable {
        let pairs: [[String]]

        init(_ pairs: KeyValuePairs<String, String>) {
            self.pairs = pairs.map { [$0.key, $0.value] }
        }
    }

    /// The counters, by their names in Prometheus.
    enum Counter: String, CaseIterable, Sendable {
        case deliveries = "zohosync_deliveries_total"
        case unknownPaths = "zohosync_unknown_webhook_paths_total"
        case applied = "zohosync_applied_total"
        case postponed = "zohosync_deliveries_postponed_total"
        case calls = "zohosync_calls_total"
        case runs = "zohosync_runs_ended_total"
        case requests = "zohosync_http_requests_total"
        case refusedTokens = "zohosync_refused_tokens_total"

        var help: String {
            switch self {
            case .deliveries: "Webhook deliveries by webhook and result"
            case .unknownPaths: "Webhook deliveries to paths that are not served"
            case .applied: "Records from deliveries by entity and outcome"
            case .postponed: "Attempts to apply deliveries that failed and are retried later, by entity"
            case .calls: "Calls to Zoho's API by result, retries included"
            case .runs: "Runs that have ended in this process, by entity, kind and state"
            case .requests: "HTTP requests by route and status"
            case .refusedTokens: "Requests refused for a wrong token, and those paused after too many of them"
            }
        }
    }

    private struct Histogram: Sendable {
        var buckets = [Int](repeating: 0, count: Metrics.bounds.count)
        var count = 0
        var sum = 0.0
    }

    private struct State {
        var counters: [Counter: [Labels: Int]] = [:]
        /// By the kind of the delivery.
        var lags: [String: Histogram] = [:]
    }

    /// Upper bounds in seconds.
    private static let bounds = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600,
    ]

    private let state = Mutex(State())

    func count(_ counter: Counter, _ labels: Labels, _ number: Int = 1) {
        state.withLock { $0.counters[counter, default: [:]][labels, default: 0] += number }
    }

    /// Counts a run that has ended.
    func count(_ run: Run) { countRun(of: run.entity, run.kind.rawValue, run.state.rawValue) }

    func countRun(of entity: String, _ kind: String, _ state: String) {
        count(.runs, .init(["entity": entity, "kind": kind, "state": state]))
    }

    /// Adds the time from a delivery's receipt to its commit.
    func observeLag(of kind: String, microseconds: Int64) {
        let seconds = Double(microseconds) / 1_000_000
        state.withLock { state in
            var lag = state.lags[kind] ?? Histogram()
            lag.count += 1
            lag.sum += seconds
            for (index, bound) in Self.bounds.enumerated() where seconds <= bound { lag.buckets[index] += 1 }
            state.lags[kind] = lag
        }
    }

    /// Everything in Prometheus' text format.
    ///
    /// - Parameter gauges: values that are read for this request.
    func text(_ gauges: [Gauge]) -> String {
        var output = ""
        let (counters, lags) = state.withLock { ($0.counters, $0.lags) }
        for counter in Counter.allCases {
            output += Self.head(counter.rawValue, counter.help, "counter")
            for (labels, value) in (counters[counter] ?? [:]).sorted(by: { Self.text($0.key) < Self.text($1.key) }) {
                output += "\(counter.rawValue)\(Self.text(labels)) \(value)\n"
            }
        }
        let name = "zohosync_delivery_lag_seconds"
        output += Self.head(name, "Seconds from a delivery's receipt to its commit", "histogram")
        for (kind, lag) in lags.sorted(by: { $0.key < $1.key }) {
            let label = "kind=\"\(kind)\""
            for (bound, value) in zip(Self.bounds, lag.buckets) {
                output += "\(name)_bucket{\(label),le=\"\(Self.number(bound))\"} \(value)\n"
            }
            output += "\(name)_bucket{\(label),le=\"+Inf\"} \(lag.count)\n"
            output += "\(name)_sum{\(label)} \(lag.sum)\n\(name)_count{\(label)} \(lag.count)\n"
        }
        var last = ""
        for gauge in gauges {
            if gauge.name != last { output += Self.head(gauge.name, gauge.help, "gauge") }
            last = gauge.name
            output += "\(gauge.name)\(Self.text(gauge.labels)) \(Self.number(gauge.value))\n"
        }
        return output
    }

    private static func head(_ name: String, _ help: String, _ type: String) -> String {
        "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private static func text(_ labels: Labels) -> String {
        guard !labels.pairs.isEmpty else { return "" }
        let pairs = labels.pairs.map { pair in
            let value = pair[1].replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(pair[0])=\"\(value)\""
        }
        return "{\(pairs.joined(separator: ","))}"
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}

/// A value that is read when the metrics are requested.
struct Gauge: Sendable {
    let name: String
    let help: String
    let value: Double
    var labels = Metrics.Labels([:])
}
