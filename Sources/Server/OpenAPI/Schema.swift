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
        /// Whether it may be missing.
        let isOptional: Bool
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
            { type: object, required: [\(fields.filter { !$0.isOptional }.map(\.name).joined(separator: ", "))], \
            properties: { \(fields.map { "\($0.name): \($0.schema.yaml)" }.joined(separator: ", ")) } }
            """
        case .named(let name): "{ $ref: '#/components/schemas/\(name)' }"
        case .nullable(let schema): "{ oneOf: [\(schema.yaml), { type: 'null' }] }"
        }
    }

    /// An object as a block of YAML, a member on each line.
    func block(indent: String) -> [String] {
        guard case .object(let fields) = self else { return [] }
        let required = fields.filter { !$0.isOptional }.map(\.name)
        return [
            "\(indent)type: object", "\(indent)required: [\(required.joined(separator: ", "))]", "\(indent)properties:",
        ]
            + fields.map { "\(indent)  \($0.name): \($0.schema.yaml)" }
    }
}

/// A member that is always there.
private func has(_ name: String, _ schema: Schema) -> Schema.Field {
    .init(name: name, schema: schema, isOptional: false)
}

/// A member that may be missing.
private func may(_ name: String, _ schema: Schema) -> Schema.Field {
    .init(name: name, schema: schema, isOptional: true)
}

/// A member that is always there, and null where there is no value.
private func null(_ name: String, _ schema: Schema) -> Schema.Field {
    .init(name: name, schema: .nullable(schema), isOptional: false)
}

extension Schema {
    /// The documents that answers consist of, by name.
    static let documents: KeyValuePairs<String, Schema> = [
        "Problem": .object([
            has("type", .text), has("title", .text), has("status", .integer), has("detail", .text),
            may("errors", .list(.object([has("field", .text), has("reason", .text)]))), may("run", .named("Run")),
        ]),
        "Alive": .object([has("status", .text)]),
        "Health": .object([
            has("status", state),
            has(
                "checks",
                .list(
                    .object([
                        has("name", .text), has("state", state), has("figure", .number), has("advice", .text),
                        may("parts", .map(.integer)),
                    ]))),
        ]),
        "Accepted": .object([
            may("kind", .word(["delivery", "dead_letter"])), may("id", .integer), has("ids", .list(.integer)),
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
        "Retried": .object([has("outcomes", .map(.integer))]),
        "Discarded": .object([has("id", .integer), has("state", .text), has("reason", .text)]),
        "Change": .object([
            has("id", .integer), has("entity", .text), has("zoho_id", .text),
            has("kind", .word(["inserted", "updated", "deleted", "restored"])), has("changed_at", .text),
            may("run_id", .integer), may("delivery_id", .integer), may("request_id", .text), has("content_hash", .text),
            may("changes", .anything),
        ]),
        "Changes": .object([has("changes", .list(.named("Change"))), has("last", .integer)]),
        "Token": .object([
            has("id", .integer), has("name", .text), has("role", .word(["read", "operate"])),
            has("created_at", .text), may("revoked_at", .text), may("token", .text),
        ]),
        "Tokens": .object([has("tokens", .list(.named("Token")))]),
    ]

    private static let state = Schema.word(["ok", "warning", "critical"])
    static let runState = Schema.word(["running", "completed", "partial", "interrupted", "failed"])

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
