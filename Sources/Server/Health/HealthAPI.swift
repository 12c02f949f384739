import Database
import Hummingbird
import Mirror
import Sync

/// Tells whether the server lives, whether it can work, and how everything is.
struct HealthAPI: Sendable {
    let mirror: Mirror
    let inspector: HealthInspector
    let arrivals: ArrivalLog
    /// The checks as this process has found them last, for while the database cannot say.
    let remembered: @Sendable () -> [HealthRecord]

    private struct Alive: Encodable {
        let status: String
    }

    private struct Report: Encodable {
        let status: HealthCheck.State
        let checks: [HealthCheck]
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
        try? await arrivals.flush()
        // Who asks often must not cost calls: what only Zoho can say, the schedule has asked.
        let checks = await inspector.inspectWithStored(.mirror, remembered: remembered())
        return .json(.ok, Report(status: checks.map(\.state).max() ?? .ok, checks: checks))
    }
}
