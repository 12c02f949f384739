import Catalog
import Hummingbird
import Mirror
import NIOCore
import ZohoBooks

/// What Prometheus reads.
struct MetricsAPI: Sendable {
    let mirror: Mirror
    let metrics: Metrics
    let budget: @Sendable () async throws -> BudgetSnapshot

    func text(_ request: Request, _ context: ServerContext) async throws -> Response {
        let text = metrics.text(try await gauges())
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    func gauges() async throws -> [Gauge] {
        let depth = try await mirror.inboxDepth()
        let age = depth.oldestReceivedAt.map { Double(mirror.now() - $0) / 1_000_000 } ?? 0
        var gauges = [
            Gauge(name: "zohosync_inbox_depth", help: "Deliveries that wait", value: Double(depth.count)),
            Gauge(name: "zohosync_inbox_age_seconds", help: "Age of the oldest delivery that waits", value: age),
            Gauge(
                name: "zohosync_dead_letters", help: "Records and deliveries that could not be applied",
                value: Double(try await mirror.deadLetterCount())),
        ]
        gauges += try await mirror.healthRecords().map { record in
            Gauge(
                name: "zohosync_health", help: "Checks as they were found last: 0 ok, 1 warning, 2 critical",
                value: Double(["ok", "warning", "critical"].firstIndex(of: record.state) ?? 0),
                labels: .init(["check": record.name]))
        }
        let left = try await budget()
        let budgets: [(String, String, Int?)] = [
            ("zohosync_calls_left_minute", "Calls that this minute still allows", left.remainingThisMinute),
            ("zohosync_calls_left_today", "Calls that Zoho still allows today", left.remainingToday),
            ("zohosync_calls_daily_limit", "Calls that the plan allows a day", left.dailyLimit),
        ]
        for (name, help, value) in budgets {
            if let value { gauges.append(Gauge(name: name, help: help, value: Double(value))) }
        }
        let totals = try await mirror.runTotals()
        gauges += totals.map {
            Gauge(
                name: "zohosync_runs", help: "Runs that the mirror remembers, by entity and state",
                value: Double($0.runs), labels: .init(["entity": $0.entity, "state": $0.state]))
        }
        gauges += totals.map {
            Gauge(
                name: "zohosync_run_calls", help: "Calls that these runs have made", value: Double($0.calls),
                labels: .init(["entity": $0.entity, "state": $0.state]))
        }
        return gauges
    }
}
