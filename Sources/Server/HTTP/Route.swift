import HTTPTypes
import Hummingbird
import Mirror

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

    /// What one status means.
    struct Answer: Sendable, ExpressibleByStringLiteral {
        let meaning: String
        /// The document that comes with it; nil for the route's, or for a problem.
        var document: String?

        init(_ meaning: String, _ document: String) {
            self.meaning = meaning
            self.document = document
        }

        init(stringLiteral meaning: String) { self.meaning = meaning }
    }

    let method: HTTPRequest.Method
    /// As OpenAPI writes it: `/api/zoho/bulk-sync/runs/{id}`.
    let path: String
    let access: Access
    let summary: String
    var parameters: [Parameter] = []
    /// The name of the schema of the body, where there is one.
    var body: String?
    /// What each status means, except for those that every route has.
    let answers: [Int: Answer]
    /// The schema of its answers, where they are JSON.
    var document: String?
    var contentType = "application/json"
    /// Whether the handler bounds its own waiting for the database.
    var hasOwnDeadline = false
    let handler: Handler

    /// Whether it is answered with 503 where the database takes longer than ``Deadline/answer``.
    var isLookup: Bool { method == .get && !hasOwnDeadline && contentType != "text/event-stream" }

    /// What comes with a status below 500, or with one that the route names; nil where it never answers so.
    func content(of status: Int) -> (type: String, document: String?)? {
        let problem = (type: "application/problem+json", document: "Problem" as String?)
        guard let answer = answers[status] else { return access.refusals.contains(status) ? problem : nil }
        return status >= 400 && answer.document == nil ? problem : (contentType, answer.document ?? document)
    }
}

extension Access {
    /// The statuses with which a caller is refused.
    var refusals: [Int] {
        switch self {
        case .open: []
        case .token(.read): [401, 429]
        case .token(.operate): [401, 403, 429]
        }
    }
}
