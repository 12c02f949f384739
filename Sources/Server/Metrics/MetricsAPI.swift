import Catalog
import Hummingbird
import Mirror
import NIOCore
import ZohoBooks

/// The metrics for Prometheus.
struct MetricsAPI: Sendable {
    let mirror: Mirror
    let metrics: Metrics
    let clock: any Clock<Duration>
    let budget: @Sendable () async throws -> BudgetSnapshot

    func text(_ request: Request, _ context: ServerContext) async throws -> Response {
        let text = metrics.text(await gauges())
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// The gauges that can be read now: whether the database answers, and if it does, what it holds.
    func gauges() async -> [Gauge] {
        let inbox = await answer { try await inboxGauges() }
        var gauges = [
            Gauge(
                name: "zohosync_database_up", help: "Whether the database answers: 0 no, 1 yes",
                value: inbox == nil ? 0 : 1)
        ]
        guard let inbox else { return gauges }
        gauges += inbox
        let groups: [@Sendable () async throws -> [Gauge]] = [letterGauges, healthGauges, budgetGauges, runGauges]
        for group in groups {
            gauges += await answer { try await group() } ?? []
        }
        return gauges
    }

    /// The gauges of a group; nil where the database does not answer in time.
    private func answer(_ group: @escaping @Sendable () async throws -> [Gauge]) async -> [Gauge]? {
        try? await within(Deadline.query, clock: clock) { try await group() }
    }

    private func inboxGauges() async throws -> [Gauge] {
        let depth = try await mirror.inboxDepth()
        let age = depth.oldestReceivedAt.map { Double(mirror.now() - $0) / 1_000_000 } ?? 0
        return [
            Gauge(name: "zohosync_inbox_depth", help: "Deliveries waiting to be applied", value: Double(depth.count)),
            Gauge(name: "zohosync_inbox_age_seconds", help: "Age of the oldest waiting delivery", value: age),
        ]
    }

    private func letterGauges() async throws -> [Gauge] {
        [
            Gauge(
                name: "zohosync_dead_letters",
                help: "Open dead letters: records and deliveries that could not be applied",
                value: Double(try await mirror.deadLetterCount()))
        ]
    }

    private func healthGauges() async throws -> [Gauge] {
        try await mirror.healthRecords().map { record in
            Gauge(
                name: "zohosync_health", help: "Health checks as last found: 0 ok, 1 warning, 2 critical",
                value: Double(["ok", "warning", "critical"].firstIndex(of: record.state) ?? 0),
                labels: .init(["check": record.name]))
        }
    }

    private func budgetGauges() async throws -> [Gauge] {
        let left = try await budget()
        let budgets: [(String, String, Int?)] = [
            ("zohosync_calls_left_minute", "Calls that Zoho still allows this minute", left.remainingThisMinute),
            ("zohosync_calls_left_today", "Calls that Zoho still allows today", left.remainingToday),
            ("zohosync_calls_daily_limit", "Calls that the plan allows a day", left.dailyLimit),
        ]
        return budgets.compactMap { name, help, value in
            value.map { Gauge(name: name, help: help, value: Double($0)) }
        }
    }

    private func runGauges() async throws -> [Gauge] {
        let totals = try await mirror.runTotals()
        let runs = totals.map {
            Gauge(
                name: "zohosync_runs", help: "Runs recorded in the mirror, by entity and state",
                value: Double($0.runs), labels: .init(["entity": $0.entity, "state": $0.state]))
        }
        return runs
            + totals.map {
                Gauge(
                    name: "zohosync_run_calls", help: "Calls made by these runs", value: Double($0.calls),
                    labels: .init(["entity": $0.entity, "state": $0.state]))
            }
    }
}
