import Database
import HTTPTypes
import Hummingbird
import Logging
package import Mirror
import ZohoBooks

/// Creates, lists and revokes tokens: while a server runs on SQLite, no command can.
struct TokensAPI: Sendable {
    let mirror: Mirror
    let bodies: BodyReader
    let logger: Logger

    struct List: Encodable {
        let tokens: [TokenDocument]
    }

    func list(_ request: Request, _ context: ServerContext) async throws -> Response {
        .json(.ok, List(tokens: try await mirror.apiTokens().map { TokenDocument($0) }))
    }

    func create(_ request: Request, _ context: ServerContext) async throws -> Response {
        let wanted = try TokenRequest(try await bodies.body(of: request, context, upTo: 4 << 10))
        let (secret, token) = try await mirror.makeAPIToken(name: wanted.name, role: wanted.role)
        note("A token was created", token, context)
        return .json(.created, TokenDocument(token, secret: secret))
    }

    func revoke(_ request: Request, _ context: ServerContext) async throws -> Response {
        let text = context.parameters.get("id") ?? ""
        guard let id = Int64(text), try await mirror.revokeAPIToken(id),
            let token = try await mirror.apiTokens().first(where: { $0.id == id })
        else { throw Problem(.notFound, "There is no active token with id \(text).") }
        note("A token was revoked", token, context)
        return .json(.ok, TokenDocument(token))
    }

    private func note(_ message: Logger.Message, _ token: APIToken, _ context: ServerContext) {
        logger.notice(
            message,
            metadata: [
                "id": "\(token.id)", "name": "\(token.name)", "role": "\(token.role.rawValue)",
                "token": "\(context.token?.name ?? "-")", "request_id": "\(context.requestID)",
            ])
    }
}

/// A token as JSON for machines.
package struct TokenDocument: Encodable, Sendable {
    package let id: Int64
    package let name: String
    /// `read` or `operate`.
    package let role: String
    package let createdAt: String
    /// Null while it is valid.
    @Nullable package private(set) var revokedAt: String?
    /// The token itself, which only the answer to its creation has; null in all others.
    @Nullable package private(set) var token: String?

    /// - Parameter secret: the token itself, where it was made just now.
    package init(_ token: APIToken, secret: String? = nil) {
        id = token.id
        name = token.name
        role = token.role.rawValue
        createdAt = Timestamp.text(token.createdAt)
        revokedAt = token.revokedAt.map { Timestamp.text($0) }
        self.token = secret
    }
}

/// The body of a request for a token.
private struct TokenRequest {
    private(set) var name = ""
    private(set) var role = APIToken.Role.read

    /// - Throws: ``Problem`` with every field that cannot be used and why.
    init(_ body: [UInt8]) throws(Problem) {
        var faults: [Problem.Fault] = []
        do {
            try RawJSON(body[...]).read { root in
                try root.members { key, value in
                    let field = try JSONView.text(ofKey: key)
                    if let reason = try take(field, value) { faults.append(.init(field: field, reason: reason)) }
                }
            }
        } catch {
            throw Problem(.badRequest, "The body is not a JSON object: \(error).")
        }
        if name.isEmpty, !faults.contains(where: { $0.field == "name" }) {
            faults.append(.init(field: "name", reason: APIToken.nameRule))
        }
        if !faults.isEmpty { throw .unprocessable(faults) }
    }

    private mutating func take(_ field: String, _ value: JSONView) throws -> String? {
        switch field {
        case "name":
            let text = value.kind == .string ? try value.text() : ""
            guard APIToken.isName(text) else { return APIToken.nameRule }
            name = text
        case "role":
            guard value.kind == .string, let role = APIToken.Role(rawValue: try value.text()) else {
                return "must be read or operate"
            }
            self.role = role
        default: return "is not known; choose from name, role"
        }
        return nil
    }
}
