import Database
import Hummingbird
import Mirror

/// Tells whether the server lives, whether it can work, and what it has seen.
struct HealthAPI: Sendable {
    let mirror: Mirror
    let metrics: Metrics
    let startedAt: Int64

    private struct Alive: Encodable {
        let status: String
    }

    private struct Report: Encodable {
        let status: HealthCheck.State
        let checks: [HealthCheck]
        /// When the counts of this process began.
        let countingSince: String
    }

    func live(_ request: Request, _ context: ServerContext) async throws -> Response {
        .json(.ok, Alive(status: "alive"))
    }

    func ready(_ request: Request, _ context: ServerContext) async throws -> Response {
        do {
            _ = try await mirror.inboxDepth()
            return .json(.ok, Alive(status: "ready"))
        } catch {
            return .json(.serviceUnavailable, Alive(status: "the database does not answer"))
        }
    }

    func report(_ request: Request, _ context: ServerContext) async throws -> Response {
        let checks = await checks()
        let state = checks.map(\.state).max() ?? .ok
        return .json(
            .ok, Report(status: state, checks: checks, countingSince: Timestamp.seconds(startedAt)))
    }

    private func checks() async -> [HealthCheck] {
        let began = ContinuousClock.now
        do {
            let depth = try await mirror.inboxDepth()
            let latency = Double((ContinuousClock.now - began) / .milliseconds(1))
            let age = depth.oldestReceivedAt.map { Double(mirror.now() - $0) / 1_000_000 } ?? 0
            return [
                .judge(
                    "database_latency_ms", latency, warning: 500, critical: 5_000,
                    "The database answers slowly. Look at its load and its disk."),
                .judge(
                    "inbox_depth", Double(depth.count), warning: 50, critical: 200,
                    "Deliveries come faster than they are applied, or what they ask for waits for Zoho's calls."),
                .judge(
                    "inbox_age_seconds", age, warning: 1_800, critical: 7_200,
                    "The oldest delivery waits for long. Look at last_error in sync_inbox."),
                .judge(
                    "dead_letters", Double(try await mirror.deadLetterCount()), warning: 5, critical: 10,
                    "Look at /api/zoho/dead-letters, mend the cause, and POST /api/zoho/dead-letters/retry."),
            ] + deliveryChecks
        } catch {
            return [
                HealthCheck(
                    name: "database_latency_ms", state: .critical, figure: -1,
                    advice: "The database does not answer. Look whether it runs and can be reached.")
            ] + deliveryChecks
        }
    }

    private var deliveryChecks: [HealthCheck] {
        let unknown = metrics.totals(.unknownPaths, by: "path")
        return [
            .judge(
                "deliveries_unreadable", Double(metrics.total(.deliveries, where: "result", is: "unreadable")),
                warning: 0, critical: 100,
                "The body of a workflow rule's webhook is not the default payload. Correct it in Zoho, then look at "
                    + "/api/zoho/dead-letters."),
            .judge(
                "deliveries_refused", Double(metrics.total(.deliveries, where: "result", is: "refused")), warning: 0,
                critical: 100,
                "Webhooks came without the right signature. Compare the secret in Zoho with ZOHOSYNC_WEBHOOK_SECRET."),
            .judge(
                "deliveries_to_unknown_paths", Double(unknown.values.reduce(0, +)), warning: 0, critical: 100,
                "Zoho delivers to a path that nobody serves. Correct the URL of the workflow rule's webhook.",
                parts: unknown),
        ]
    }
}
