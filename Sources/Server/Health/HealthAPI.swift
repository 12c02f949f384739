import Database
import Hummingbird
import Mirror
import Sync
import ZohoBooks

/// Tells whether the server lives, whether it can work, and how everything is.
struct HealthAPI: Sendable {
    let mirror: Mirror
    let inspector: HealthInspector
    let arrivals: ArrivalLog
    let clock: any Clock<Duration>
    let unknownPaths: UnknownPaths
    /// The checks as this process has found them last, for while the database cannot say.
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
                // Whatever else is wrong with it, it answers.
                _ = try? await mirror.inboxDepth()
            }
            return try await within(Deadline.inspection, clock: clock) {
                // Who asks often must not cost calls: what only Zoho can say, the schedule has asked.
                await inspector.inspectWithStored(.mirror, remembered: remembered())
            }
        } catch {
            return HealthInspector.checks(ofUnresponsiveDatabase: remembered())
        }
    }
}
