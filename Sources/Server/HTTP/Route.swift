import HTTPTypes
import Hummingbird

/// One route as data: what is registered, and what `/openapi.yaml` says of it.
struct Route: Sendable {
    typealias Handler = @Sendable (Request, ServerContext) async throws -> Response

    /// A parameter of the query or a header.
    struct Parameter: Sendable {
        enum Place: String, Sendable {
            case query
            case header
            case path
        }

        let name: String
        var place = Place.query
        var type = "string"
        let description: String
        var values: [String] = []
    }

    let method: HTTPRequest.Method
    /// As OpenAPI writes it: `/api/zoho/bulk-sync/runs/{id}`.
    let path: String
    let access: Access
    let summary: String
    var parameters: [Parameter] = []
    /// The name of the schema of the body, where there is one.
    var body: String?
    /// What each status means; those that every route has apart.
    let answers: [Int: String]
    var contentType = "application/json"
    let handler: Handler
}
