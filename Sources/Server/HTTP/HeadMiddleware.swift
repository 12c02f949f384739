import HTTPTypes
import Hummingbird

/// Answers HEAD without a body, whatever the result of the request.
struct HeadMiddleware: RouterMiddleware {
    @concurrent func handle(
        _ request: Request, context: ServerContext,
        next: @concurrent (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        let response = try await next(request, context)
        return request.method == .head ? response.createHeadResponse() : response
    }
}
