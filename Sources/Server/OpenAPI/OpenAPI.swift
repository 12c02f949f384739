import HTTPTypes
import Hummingbird
import Mirror
import NIOCore

extension Routes {
    func describe(_ request: Request, _ context: ServerContext) async throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/yaml"],
            body: .init(byteBuffer: ByteBuffer(string: OpenAPI.text(all))))
    }
}

/// The description of the routes in OpenAPI 3.1, written from the routes themselves.
enum OpenAPI {
    static func text(_ routes: [Route]) -> String {
        var lines = [
            "openapi: 3.1.0",
            "info:",
            "  title: ZohoSync",
            "  version: \(Release.version)",
            "  description: Keeps a complete, current copy of a Zoho Books organisation in your own database.",
            "paths:",
        ]
        for path in routes.map(\.path).uniqued {
            lines.append("  \(path):")
            for route in routes where route.path == path { lines += operation(route) }
        }
        lines += [components, "  schemas:"]
        for (name, schema) in Schema.documents { lines += ["    \(name):"] + schema.block(indent: "      ") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func operation(_ route: Route) -> [String] {
        var lines = ["    \(route.method.rawValue.lowercased()):", "      summary: \(quoted(route.summary))"]
        switch route.access {
        case .open: lines.append("      security: []")
        case .token(let role):
            lines += ["      security:", "        - bearer: []", "      x-role: \(role.rawValue)"]
        }
        if !route.parameters.isEmpty {
            lines.append("      parameters:")
            for parameter in route.parameters {
                lines += [
                    "        - name: \(parameter.name)", "          in: \(parameter.place.rawValue)",
                    "          required: \(parameter.place == .path)",
                    "          description: \(quoted(parameter.description))", "          schema:",
                    "            type: \(parameter.type)",
                ]
                if !parameter.values.isEmpty {
                    lines.append("            enum: [\(parameter.values.joined(separator: ", "))]")
                }
            }
        }
        if let body = route.body {
            lines += ["      requestBody:", "        $ref: '#/components/requestBodies/\(body)'"]
        }
        lines.append("      responses:")
        for (status, answer) in route.answers.sorted(by: { $0.key < $1.key }) {
            guard let content = route.content(of: status) else { continue }
            let schema = content.document.map { Schema.named($0) } ?? .text
            lines += [
                "        '\(status)':", "          description: \(quoted(answer.meaning))", "          content:",
                "            \(content.type): { schema: \(schema.yaml) }",
            ]
        }
        for status in route.access.refusals where route.answers[status] == nil {
            lines += ["        '\(status)':", "          $ref: '#/components/responses/Refused'"]
        }
        lines += ["        default:", "          $ref: '#/components/responses/Unable'"]
        return lines
    }

    private static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }

    private static let components = """
        components:
          securitySchemes:
            bearer:
              type: http
              scheme: bearer
              description: 'A token from zohosync auth token create'
          requestBodies:
            BulkSync:
              required: false
              content:
                application/json:
                  schema:
                    type: object
                    additionalProperties: false
                    properties:
                      incremental: { type: boolean, description: 'Read only what has changed; the default where a cursor exists' }
                      modified_since: { type: string, description: 'A day (from midnight UTC) or an instant' }
                      batch_size: { type: integer, minimum: 10, maximum: 200, default: 200 }
                      active_only: { type: boolean, default: false }
                      with_stock_only: { type: boolean, default: false }
                      sync_images: { type: boolean, default: true }
            Token:
              required: true
              content:
                application/json:
                  schema:
                    type: object
                    additionalProperties: false
                    required: [name]
                    properties:
                      name: { type: string, minLength: 1, maxLength: 100, description: 'What the token is for' }
                      role: { type: string, enum: [read, operate], default: read }
            Webhook:
              required: false
              description: 'Up to 1 MiB; may be compressed with gzip or deflate'
              content:
                application/json: { schema: { type: object } }
                application/x-www-form-urlencoded: { schema: { type: object } }
          responses:
            Refused:
              description: 'The token is missing, wrong or has too small a role, or too many wrong ones were sent'
              content:
                application/problem+json: { schema: { $ref: '#/components/schemas/Problem' } }
            Unable:
              description: 'The server, its database or Zoho cannot do it now'
              content:
                application/problem+json: { schema: { $ref: '#/components/schemas/Problem' } }
        """
}

extension [String] {
    /// Each element once, in the order of its first place.
    fileprivate var uniqued: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
