import Catalog
import HTTPTypes
import Mirror

/// Every route of the server.
struct Routes: Sendable {
    let health: HealthAPI
    let metrics: MetricsAPI
    let intake: WebhookIntake
    let bulkSync: BulkSyncAPI
    let deadLetters: DeadLettersAPI
    let changes: ChangesAPI
    let tokens: TokensAPI

    private static let entityNames = Catalog.entities.map(\.entity.name)
    private static let entity = Route.Parameter(
        name: "entity", description: "Only this entity.", values: entityNames)
    private static let after = Route.Parameter(
        name: "after", type: "integer", description: "Only what has a higher id.")
    private static let limit = Route.Parameter(
        name: "limit", type: "integer", description: "The maximum number of entries, 1 to 1000.")

    var all: [Route] {
        observation + webhooks + syncs + letters + changeLog + access + [
            Route(
                method: .get, path: "/openapi.yaml", access: .token(.read), summary: "This description",
                answers: [200: "The description"], contentType: "application/yaml",
                handler: { [self] in try await describe($0, $1) })
        ]
    }

    private var observation: [Route] {
        [
            Route(
                method: .get, path: "/health/live", access: .open, summary: "Whether the process is alive",
                answers: [200: "It is alive"], document: "Alive", hasOwnDeadline: true, handler: health.live),
            Route(
                method: .get, path: "/health/ready", access: .open,
                summary: "Whether the process is ready to serve requests",
                answers: [200: "It is ready", 503: .init("It is not, because the database does not answer", "Alive")],
                document: "Alive", hasOwnDeadline: true, handler: health.ready),
            Route(
                method: .get, path: "/api/zoho/health", access: .token(.read),
                summary: "The state of every health check, with what to do", answers: [200: "The checks"],
                document: "Health", hasOwnDeadline: true, handler: health.report),
            Route(
                method: .get, path: "/metrics", access: .token(.read), summary: "Metrics for Prometheus",
                answers: [200: "The metrics"], contentType: "text/plain", hasOwnDeadline: true, handler: metrics.text),
        ]
    }

    private var webhooks: [Route] {
        ["/api/zoho/webhooks/{webhook}", "/api/tds/webhooks/{webhook}"].flatMap { path in
            [HTTPRequest.Method.post, .put].map { method in
                Route(
                    method: method, path: path, access: .open,
                    summary: "Receives a webhook from Zoho Books, and answers once it is stored durably",
                    parameters: [
                        .init(
                            name: "webhook", place: .path, description: "What it is about.",
                            values: Catalog.webhooks.map(\.name)),
                        .init(name: "event", description: "Set to deleted for a rule that watches deletions."),
                        .init(
                            name: "X-Zoho-Webhook-Signature", place: .header,
                            description: "The HMAC-SHA256 of the webhook, in hexadecimal or Base64."),
                        .init(
                            name: "X-Webhook-Key", place: .header, description: "The key, instead of a signature."),
                        .init(name: "X-Zoho-Event", place: .header, description: "Instead of event in the query."),
                        .init(name: "X-Webhook-Event", place: .header, description: "The same as X-Zoho-Event."),
                    ],
                    body: "Webhook",
                    answers: [
                        200: "The body is empty; nothing is stored", 202: "Stored; the answer has its id",
                        400: "The body ended early", 401: "The signature or key is wrong",
                        404: "There is no such webhook",
                        408: "The body did not arrive within 10 seconds", 413: "The body is larger than 1 MiB",
                        503: "It cannot be stored now; try again later",
                    ],
                    document: "Accepted", handler: intake.answer)
            }
        }
    }

    private var syncs: [Route] {
        let base = "/api/zoho/bulk-sync"
        let id = Route.Parameter(name: "id", place: .path, type: "integer", description: "The run.")
        return [
            Route(
                method: .post, path: "\(base)/{entity}", access: .token(.operate),
                summary: "Starts a sync of one entity, or of all entities with sync-all",
                parameters: [
                    .init(
                        name: "entity", place: .path, description: "What to synchronise.",
                        values: Self.entityNames + ["sync-all"]),
                    .init(
                        name: "Prefer", place: .header,
                        description: "wait=N waits up to N seconds for the sync to end (RFC 7240)."),
                ],
                body: "BulkSync",
                answers: [
                    200: .init("It ended within the wait, or before a run began", "SyncResult"),
                    202: .init("It is running; Location is the address of the run", "Started"),
                    400: "The body is not a JSON object", 404: "There is no such entity",
                    408: "The body did not arrive within 10 seconds",
                    409: "One of the entities is already being synchronised; see run and Location",
                    413: "The body is too large", 422: "Invalid fields, each with its reason",
                ],
                handler: bulkSync.start),
            Route(
                method: .get, path: "\(base)/status", access: .token(.read),
                summary: "Rows, last run, cursor and outstanding details of each entity, and the budget",
                answers: [200: "The status"], document: "Status", handler: bulkSync.status),
            Route(
                method: .get, path: "\(base)/runs", access: .token(.read), summary: "Runs, the newest first",
                parameters: [
                    Self.entity,
                    .init(
                        name: "state", description: "Only runs in this state.",
                        values: Run.State.allCases.map(\.rawValue)),
                    Self.limit,
                    .init(name: "before", type: "integer", description: "Only runs with a lower id."),
                ],
                answers: [200: "The runs", 422: "Invalid parameters, each with its reason"],
                document: "Runs",
                handler: bulkSync.list),
            Route(
                method: .get, path: "\(base)/runs/{id}", access: .token(.read), summary: "One run", parameters: [id],
                answers: [200: "The run", 404: "There is no such run"], document: "Run", handler: bulkSync.run),
            Route(
                method: .delete, path: "\(base)/runs/{id}", access: .token(.operate),
                summary: "Stops the sync or comparison of the run, with all its entities, at the next commit, "
                    + "whichever process runs it",
                parameters: [id],
                answers: [202: "It is stopping", 404: "There is no such run", 409: "It has already ended"],
                document: "Run",
                handler: bulkSync.cancel),
            Route(
                method: .get, path: "\(base)/runs/{id}/events", access: .token(.read),
                summary: "A run's progress until its end, as server-sent events", parameters: [id],
                answers: [200: "The events", 404: "There is no such run"], contentType: "text/event-stream",
                handler: bulkSync.events),
        ]
    }

    private var letters: [Route] {
        let base = "/api/zoho/dead-letters"
        let id = Route.Parameter(name: "id", place: .path, type: "integer", description: "The dead letter.")
        return [
            Route(
                method: .get, path: base, access: .token(.read),
                summary: "Records and deliveries that could not be applied",
                parameters: [Self.entity, Self.after, Self.limit],
                answers: [200: "The dead letters", 422: "Invalid parameters, each with its reason"],
                document: "DeadLetters", handler: deadLetters.list),
            Route(
                method: .post, path: "\(base)/retry", access: .token(.operate),
                summary: "Retries all open dead letters",
                parameters: [Self.entity],
                answers: [
                    200: "The number of dead letters by outcome", 422: "Invalid parameters, each with its reason",
                ],
                document: "Retried", handler: deadLetters.retryAll),
            Route(
                method: .post, path: "\(base)/{id}/retry", access: .token(.operate), summary: "Retries one dead letter",
                parameters: [id], answers: [200: "Its outcome", 404: "There is no such open dead letter"],
                document: "Retried",
                handler: deadLetters.retryOne),
            Route(
                method: .delete, path: "\(base)/{id}", access: .token(.operate),
                summary: "Discards a dead letter that is no longer wanted",
                parameters: [id, .init(name: "reason", description: "Why it is discarded; the reason is kept.")],
                answers: [
                    200: "It was discarded", 404: "There is no such open dead letter", 422: "The reason is missing",
                ], document: "Discarded",
                handler: deadLetters.discard),
        ]
    }

    private var access: [Route] {
        let base = "/api/zoho/tokens"
        return [
            Route(
                method: .get, path: base, access: .token(.operate),
                summary: "All tokens, without their secrets",
                answers: [200: "The tokens, including revoked ones"], document: "Tokens", handler: tokens.list),
            Route(
                method: .post, path: base, access: .token(.operate), summary: "Creates a token", body: "Token",
                answers: [
                    201: "The token, which is shown only this once", 400: "The body is not a JSON object",
                    408: "The body did not arrive within 10 seconds", 413: "The body is too large",
                    422: "Invalid fields, each with its reason",
                ],
                document: "Token", handler: tokens.create),
            Route(
                method: .delete, path: "\(base)/{id}", access: .token(.operate), summary: "Revokes a token",
                parameters: [.init(name: "id", place: .path, type: "integer", description: "The token.")],
                answers: [200: "It was revoked", 404: "There is no such active token"], document: "Token",
                handler: tokens.revoke),
        ]
    }

    private var changeLog: [Route] {
        let base = "/api/zoho/changes"
        return [
            Route(
                method: .get, path: base, access: .token(.read),
                summary: "What was inserted, updated, deleted and restored, in commit order",
                parameters: [Self.after, Self.entity, Self.limit],
                answers: [
                    200: "The changes", 409: "The change log has never reached the number given as after",
                    410: "Entries after that number have been removed",
                    422: "Invalid parameters, each with its reason",
                ],
                document: "Changes",
                handler: changes.list),
            Route(
                method: .get, path: "\(base)/stream", access: .token(.read),
                summary: "Changes as they happen, as server-sent events",
                parameters: [
                    Self.after, Self.entity,
                    .init(name: "Last-Event-ID", place: .header, description: "Continues after this change."),
                ],
                answers: [
                    200: "The changes, each as an event named change; an event named gap where some have been removed",
                    409: "The change log has never reached the number given as after",
                    422: "Invalid parameters, each with its reason",
                    503: "All streams are in use",
                ],
                contentType: "text/event-stream", handler: changes.stream),
        ]
    }
}
