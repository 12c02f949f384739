import HTTPTypes
import Hummingbird
import Logging
import Mirror
import Synchronization

/// What every request passes first: it gets its id, its errors become problems, and it is counted and logged.
struct EdgeMiddleware: RouterMiddleware {
    let metrics: Metrics
    let arrivals: ArrivalLog
    let logger: Logger
    let unknownPaths = UnknownPaths()

    @concurrent func handle(
        _ request: Request, context: ServerContext,
        next: @concurrent (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.requestID = Self.id(request.headers[.requestID])
        context.follow(request.headers[.forwardedFor])
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            let problem = Problem(error)
            if problem.isOurs {
                logger.error(
                    "A request failed",
                    metadata: [
                        "request_id": "\(context.requestID)", "method": "\(request.method)",
                        "path": "\(request.uri.path)", "error": "\(error)",
                    ])
            }
            if problem.status == .notFound { noteUnknownWebhook(request, context) }
            response = problem.response
        }
        response.headers[.requestID] = context.requestID
        metrics.count(
            .requests,
            .init([
                "method": request.method.rawValue, "route": context.endpointPath ?? "none",
                "status": String(response.status.code),
            ]))
        logger.debug(
            "Request answered",
            metadata: [
                "request_id": "\(context.requestID)", "method": "\(request.method)", "path": "\(request.uri.path)",
                "status": "\(response.status.code)", "caller": "\(context.caller)",
            ])
        return response
    }

    /// A Zoho organisation that delivers to a wrong path must be seen.
    private func noteUnknownWebhook(_ request: Request, _ context: ServerContext) {
        let path = request.uri.path
        let looksLikeWebhook =
            request.method == .post || request.method == .put || path.contains("webhook")
            || request.headers[.webhookSignature] != nil
        // What is below these belongs to callers with a token, who see the answer themselves.
        let isOfTheAPI = ["/api/zoho/bulk-sync", "/api/zoho/dead-letters", "/api/zoho/changes"].contains {
            path.hasPrefix($0)
        }
        guard looksLikeWebhook, !isOfTheAPI else { return }
        let label = unknownPaths.label(for: path)
        metrics.count(.unknownPaths, .init(["path": label]))
        arrivals.note(.unknownPath, label)
        logger.warning(
            "A webhook came to a path that nobody serves",
            metadata: ["request_id": "\(context.requestID)", "path": "\(path)", "caller": "\(context.caller)"])
    }

    /// The caller's id where it is harmless, else a new one.
    private static func id(_ given: String?) -> String {
        if let given, (1...64).contains(given.utf8.count),
            given.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || [0x2D, 0x2E, 0x5F].contains(byte)
            })
        {
            return given
        }
        return String(UInt64.random(in: .min ... .max), radix: 36)
    }
}

/// The paths that are counted one by one; who tries many paths must not fill the memory.
final class UnknownPaths: Sendable {
    private static let capacity = 50
    private let paths = Mutex<Set<String>>([])

    func label(for path: String) -> String {
        let path = String(path.prefix(200))
        return paths.withLock { paths in
            if paths.contains(path) { return path }
            guard paths.count < Self.capacity else { return "other" }
            paths.insert(path)
            return path
        }
    }
}
