import Mirror
import Sync

/// The shape of a JSON value, as `/openapi.yaml` describes it.
indirect enum Schema: Sendable {
    case text
    case integer
    case number
    case flag
    /// Any JSON.
    case anything
    /// Text that is one of these.
    case word([String])
    case list(Schema)
    /// An object whose keys are data.
    case map(Schema)
    case object([Field])
    /// One of ``documents``.
    case named(String)
    /// This or null.
    case nullable(Schema)

    /// A member of an object.
    struct Field: Sendable {
        let name: String
        let schema: Schema
    }

    /// The shape on one line of YAML.
    var yaml: String {
        switch self {
        case .text: "{ type: string }"
        case .integer: "{ type: integer }"
        case .number: "{ type: number }"
        case .flag: "{ type: boolean }"
        case .anything: "{}"
        case .word(let words): "{ type: string, enum: [\(words.joined(separator: ", "))] }"
        case .list(let element): "{ type: array, items: \(element.yaml) }"
        case .map(let value): "{ type: object, additionalProperties: \(value.yaml) }"
        case .object(let fields):
            """
            { type: object, required: [\(fields.map(\.name).joined(separator: ", "))], \
            properties: { \(fields.map { "\($0.name): \($0.schema.yaml)" }.joined(separator: ", ")) } }
            """
        case .named(let name): "{ $ref: '#/components/schemas/\(name)' }"
        case .nullable(let schema): "{ oneOf: [\(schema.yaml), { type: 'null' }] }"
        }
    }

    /// An object as a block of YAML, a member on each line.
    func block(indent: String) -> [String] {
        guard case .object(let fields) = self else { return [] }
        let names = fields.map(\.name).joined(separator: ", ")
        return ["\(indent)type: object", "\(indent)required: [\(names)]", "\(indent)properties:"]
            + fields.map { "\(indent)  \($0.name): \($0.schema.yaml)" }
    }
}

/// A member that has a value; every member is always there.
private func has(_ name: String, _ schema: Schema) -> Schema.Field { .init(name: name, schema: schema) }

/// A member that is null where there is no value.
private func null(_ name: String, _ schema: Schema) -> Schema.Field { .init(name: name, schema: .nullable(schema)) }

extension Schema {
    /// The documents that answers consist of, by name.
    static let documents: KeyValuePairs<String, Schema> = [
        "Problem": .object([
            has("type", .text), has("title", .text), has("status", .integer), has("detail", .text),
            has("errors", .list(.object([has("field", .text), has("reason", .text)]))), null("run", .named("Run")),
        ]),
        "Alive": .object([has("status", .text)]),
        "Health": .object([
            has("status", state),
            has(
                "checks",
                .list(
                    .object([
                        has("name", .text), has("state", state), has("figure", .number), has("advice", .text),
                        null("parts", .map(.integer)),
                    ]))),
        ]),
        "Accepted": .object([
            null("kind", .word(["delivery", "dead_letter"])), null("id", .integer), has("ids", .list(.integer)),
            has("status", .text),
        ]),
        "Run": .object([
            has("id", .integer), has("entity", .text), has("kind", .text), has("state", runState),
            has("started_at", .text), null("finished_at", .text), has("fetched", .integer),
            has("counts", .map(.integer)), has("skipped", .integer), has("calls", .integer), has("pages", .integer),
            has("details", .integer), null("details_outstanding", .integer), has("list_milliseconds", .integer),
            has("detail_milliseconds", .integer), has("field_faults", .map(.integer)), null("error", .text),
        ]),
        "Runs": .object([has("runs", .list(.named("Run")))]),
        "Started": .object([has("run", .named("Run")), has("entities", .list(.text))]),
        "SyncResult": .object([
            has("success", .flag), has("message", .text),
            has(
                "stats",
                .object(
                    [
                        "total_processed", "successful", "failed", "skipped", "inserted", "updated", "unchanged",
                        "stale", "deleted", "restored", "calls", "details", "details_outstanding",
                    ].map { has($0, .integer) })),
            has("duration_seconds", .number), null("error", .text), has("runs", .list(.named("Run"))),
        ]),
        "Status": .object([has("entities", .list(entityStatus)), has("budget", budget)]),
        "DeadLetters": .object([
            has(
                "dead_letters",
                .list(
                    .object([
                        has("id", .integer), has("entity", .text), null("zoho_id", .text), has("shape", .text),
                        has("reason", .text), null("code", .text), has("attempts", .integer),
                        has("first_failed_at", .text), has("last_failed_at", .text), null("request_id", .text),
                        null("webhook", .text), null("event", .text), null("record", .text),
                        null("record_base64", .text),
                    ]))), has("open", .integer), null("next_after", .integer),
        ]),
        "Retried": .object([has("outcomes", .object(RetryDocument.names.map { has($0, .integer) }))]),
        "Discarded": .object([has("id", .integer), has("state", .text), has("reason", .text)]),
        "Change": .object([
            has("id", .integer), has("entity", .text), has("zoho_id", .text),
            has("kind", .word(["inserted", "updated", "deleted", "restored"])), has("changed_at", .text),
            null("run_id", .integer), null("delivery_id", .integer), null("request_id", .text),
            has("content_hash", .text), null("changes", .map(.anything)),
        ]),
        "Changes": .object([has("changes", .list(.named("Change"))), has("last", .integer)]),
        "Token": .object([
            has("id", .integer), has("name", .text), has("role", .word(["read", "operate"])),
            has("created_at", .text), null("revoked_at", .text), null("token", .text),
        ]),
        "Tokens": .object([has("tokens", .list(.named("Token")))]),
    ]

    private static let state = Schema.word(HealthCheck.State.allCases.map(\.rawValue))
    private static let runState = Schema.word(Run.State.allCases.map(\.rawValue))

    private static let entityStatus = Schema.object([
        has("entity", .text), has("rows", .integer), has("deleted_rows", .integer), null("last_run", .named("Run")),
        has(
            "cursor",
            .object([
                null("modified_through", .text), null("listed_at", .text), null("resumes_at_page", .integer),
            ])), has("details_outstanding", .integer),
    ])

    private static let budget = Schema.object([
        null("remaining_this_minute", .integer), null("remaining_today", .integer), null("daily_limit", .integer),
        null("returns_at", .text),
    ])
}
