import Database
import Hummingbird
import Mirror
import Sync
import ZohoBooks

/// Answers whether the process is alive, whether it can serve, and how every check is.
struct HealthAPI: Sendable {
    let mirror: Mirror
    let inspector: HealthInspector
    let arrivals: ArrivalLog
    let clock: any Clock<Duration>
    let unknownPaths: UnknownPaths
    /// The checks as this process found them last, for while the database does not answer.
    let remembered: @Sendable () -> [HealthRecord]

    private struct Alive: Encodable {
        let status: String
    }

    func live(_ request: Request, _ context: ServerContext) async throws -> Response {
        .json(.ok, Alive(status: "alive"))
    }

    func ready(_ request: Request, _ context: ServerContext) async throws -> Response {
        do {
            _ = try await within(Deadline.query, clock: clock) { try await mirror.inboxDepth() }
            return .json(.ok, Alive(status: "ready"))
        } catch {
            return .json(.serviceUnavailable, Alive(status: "the database does not answer"))
        }
    }

    func report(_ request: Request, _ context: ServerContext) async throws -> Response {
        var checks = await checks()
        if let last = unknownPaths.lastWithoutPlace,
            let index = checks.firstIndex(where: { $0.parts?[UnknownPaths.other] != nil })
        {
            checks[index].advise("The last of those counted as other went to \(last).")
        }
        return .json(.ok, HealthDocument(checks))
    }

    private func checks() async -> [HealthCheck] {
        do {
            try await within(Deadline.query, clock: clock) {
                try? await arrivals.flush()
                // An error is an answer too; what is wrong the checks say.
                _ = try? await mirror.inboxDepth()
            }
            return try await within(Deadline.inspection, clock: clock) {
                // Requests must not cost calls: the schedule has asked what only Zoho can say.
                await inspector.inspectWithStored(.mirror, remembered: remembered())
            }
        } catch {
            return HealthInspector.checks(ofUnresponsiveDatabase: remembered())
        }
    }
}
