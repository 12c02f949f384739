import HTTPTypes
import Hummingbird
import Logging
import Mirror
import ZohoBooks

/// Lists, retries and discards dead letters.
struct DeadLettersAPI: Sendable {
    let mirror: Mirror
    let logger: Logger

    private struct List: Encodable {
        let deadLetters: [DeadLetterDocument]
        let open: Int
        /// The `after` of the next page; nil where this is the last.
        @Nullable var nextAfter: Int64?
    }

    private struct Discarded: Encodable {
        let id: Int64
        let state = "discarded"
        let reason: String
    }

    func list(_ request: Request, _ context: ServerContext) async throws -> Response {
        var query = QueryReader(request, known: ["entity", "after", "limit"])
        let entity = query.entity()
        let after = query.number("after", in: 0...Int.max) ?? 0
        let limit = query.number("limit", in: 1...1_000) ?? 100
        try query.finish()
        let letters = try await mirror.deadLetters(
            entity: entity, after: Int64(after), limit: limit, bytes: Mirror.partBytes)
        let bytes = letters.reduce(0) { $0 + $1.record.bytes.count }
        return .json(
            .ok,
            List(
                deadLetters: letters.map { DeadLetterDocument($0) },
                open: try await mirror.deadLetterCount(entity: entity),
                nextAfter: letters.count == limit || bytes >= Mirror.partBytes ? letters.last?.id : nil))
    }

    func retryOne(_ request: Request, _ context: ServerContext) async throws -> Response {
        let letter = try await letter(context)
        return .json(.ok, RetryDocument([try await mirror.retry(letter): 1]))
    }

    func retryAll(_ request: Request, _ context: ServerContext) async throws -> Response {
        var query = QueryReader(request, known: ["entity"])
        let entity = query.entity()
        try query.finish()
        return .json(.ok, RetryDocument(try await mirror.retryDeadLetters(entity: entity)))
    }

    func discard(_ request: Request, _ context: ServerContext) async throws -> Response {
        var query = QueryReader(request, known: ["reason"])
        let reason = query["reason"] ?? ""
        if reason.isEmpty || reason.utf8.count > 500 { query.refuse("reason", "must say why, in up to 500 bytes") }
        try query.finish()
        let letter = try await letter(context)
        guard try await mirror.discardDeadLetter(letter.id, reason: reason) else {
            throw Problem(.notFound, "Dead letter \(letter.id) is no longer open.")
        }
        logger.notice(
            "A dead letter was discarded",
            metadata: [
                "dead_letter": "\(letter.id)", "entity": "\(letter.entity)", "reason": "\(reason)",
                "token": "\(context.token?.name ?? "-")", "request_id": "\(context.requestID)",
            ])
        return .json(.ok, Discarded(id: letter.id, reason: reason))
    }

    private func letter(_ context: ServerContext) async throws -> DeadLetter {
        let text = context.parameters.get("id") ?? ""
        guard let id = Int64(text), let letter = try await mirror.deadLetter(id) else {
            throw Problem(.notFound, "There is no open dead letter \(text).")
        }
        return letter
    }
}
