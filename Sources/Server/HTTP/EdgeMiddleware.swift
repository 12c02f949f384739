import HTTPTypes
import Hummingbird
import Logging
import Mirror

/// The first middleware: gives every request its id, turns errors into problems, counts and logs.
struct EdgeMiddleware: RouterMiddleware {
    let metrics: Metrics
    let arrivals: ArrivalLog
    let served: ServedPaths
    let proof: WebhookProof
    let bodies: BodyReader
    let unknownPaths: UnknownPaths
    let trustedProxies: [AddressRange]
    let logger: Logger

    @concurrent func handle(
        _ request: Request, context: ServerContext,
        next: @concurrent (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.requestID = Self.id(request.headers[.requestID])
        context.follow(request.headers[.forwardedFor], trusting: trustedProxies)
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            var problem = Problem(error)
            if problem.status == .notFound {
                problem = served.problem(of: request.method, at: request.uri.path) ?? problem
            }
            if problem.isOurs {
                logger.error(
                    "A request failed",
                    metadata: [
                        "request_id": "\(context.requestID)", "method": "\(request.method)",
                        "path": "\(request.uri.path)", "error": "\(problem.cause ?? error)",
                    ])
            }
            if [.notFound, .methodNotAllowed].contains(problem.status) { await noteUnknownPath(request, context) }
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

    /// A Zoho organisation that delivers to a wrong path must be seen, among everything that scanners try.
    private func noteUnknownPath(_ request: Request, _ context: ServerContext) async {
        let path = request.uri.path
        let methods = served.methods(at: path)
        // A client of another route sees the answer itself.
        guard !methods.contains(request.method) || path.contains("/webhooks/") else { return }
        let isDelivery = [.post, .put].contains(request.method)
        let claims = request.headers[.webhookSignature] != nil || request.headers[.webhookKey] != nil
        let isNamed = ["webhook", "zoho"].contains { path.lowercased().contains($0) }
        guard claims || (isDelivery && isNamed && (methods.isEmpty || methods.contains(request.method))) else {
            if isDelivery, methods.isEmpty { metrics.count(.unknownPaths, .init(["path": UnknownPaths.other])) }
            return
        }
        // Anybody can send a header; only a valid one keeps a place from everybody else.
        let isProven = claims ? await proof.isGiven(by: request, context, bodies) : false
        let label = unknownPaths.label(
            for: isDelivery ? path : "\(request.method) \(path)", isProven: isProven, at: arrivals.now())
        metrics.count(.unknownPaths, .init(["path": unknownPaths.metricsLabel(for: label)]))
        arrivals.note(.unknownPath, label)
        logger.warning(
            "A webhook arrived at a path that is not served",
            metadata: [
                "request_id": "\(context.requestID)", "method": "\(request.method)", "path": "\(path)",
                "caller": "\(context.caller)", "is_proven": "\(isProven)",
            ])
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
