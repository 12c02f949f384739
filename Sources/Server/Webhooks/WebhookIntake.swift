import Catalog
import HTTPTypes
import Hummingbird
import Logging
import Mirror
import NIOCore
import Sync
import ZohoBooks

/// Receives Zoho's webhooks: checks where they come from, reads what they are about, and answers when they are stored.
struct WebhookIntake: Sendable {
    let mirror: Mirror
    let inbox: InboxWriter
    let proof: WebhookProof
    let metrics: Metrics
    let arrivals: ArrivalLog
    let bodies: BodyReader
    let logger: Logger

    private struct Accepted: Encodable {
        /// What the ids refer to; nil where nothing was stored.
        @Nullable var kind: Kind?
        @Nullable var id: Int64?
        let ids: [Int64]
        let status: String

        enum Kind: String, Encodable, CaseIterable {
            case delivery
            case deadLetter = "dead_letter"
        }
    }

    /// Answers one webhook.
    func answer(_ request: Request, _ context: ServerContext) async throws -> Response {
        let receivedAt = mirror.now()
        let name = context.parameters.get("webhook") ?? ""
        guard let webhook = Catalog.webhook(named: name) else { throw HTTPError(.notFound) }
        let isProven = try self.isProven(request, webhook: name)
        let received = try await self.body(of: request, context, webhook: name)
        let query = FormPairs(request.uri.query ?? "")
        let body: WebhookBody
        var damage: String?
        do {
            body = WebhookBody(
                try Gzip.unpacked(received, request.headers[.contentEncoding]),
                contentType: request.headers[.contentType])
        } catch Gzip.Failure.tooLarge {
            turnAway(name, "too_large")
            throw Problem(.contentTooLarge, "The body is larger than \(WebhookBody.limit) bytes once decompressed.")
        } catch {
            damage = "the body is damaged, or is not compressed as its header says"
            body = WebhookBody(received, contentType: nil)
        }
        guard isProven || proof.isSigned(request, body, received: received) else { throw refusal(name) }
        if body.isEmpty {
            // A test call, or a rule without a body: after an error Zoho would only repeat it.
            count(name, "empty")
            return .json(.ok, Accepted(kind: nil, id: nil, ids: [], status: "ignored: the body is empty"))
        }
        let source = DeliverySource(
            webhook: name, isDeletion: isDeletion(query, request.headers),
            contentType: request.headers[.contentType])
        let contents = contents(of: body, damage, webhook, source)
        return try await store(contents, webhook, receivedAt, context)
    }

    private func body(of request: Request, _ context: ServerContext, webhook: String) async throws -> [UInt8] {
        do {
            return try await bodies.body(of: request, context, upTo: WebhookBody.limit)
        } catch let problem as Problem {
            switch problem.status {
            case .contentTooLarge: turnAway(webhook, "too_large")
            case .serviceUnavailable: count(webhook, "unavailable")
            default: turnAway(webhook, "broken_off")
            }
            throw problem
        }
    }

    // MARK: - Where it comes from

    /// Whether the headers alone prove the origin; otherwise the signature of the body has to.
    ///
    /// - Throws: ``Problem`` where there is neither a key nor a signature, so that a stranger's body is not even read.
    private func isProven(_ request: Request, webhook: String) throws -> Bool {
        if !proof.isExpected || proof.hasKey(request) { return true }
        guard proof.claimsSignature(request) else { throw refusal(webhook) }
        return false
    }

    private func refusal(_ webhook: String) -> Problem {
        count(webhook, "refused")
        arrivals.note(.refused, webhook)
        return Problem(
            .unauthorized, "The webhook is not signed with this server's secret. Set the same secret in Zoho and here.")
    }

    /// Counts a delivery that is refused for its body; sending it again would not help.
    private func turnAway(_ webhook: String, _ result: String) {
        count(webhook, result)
        arrivals.note(.turnedAway, webhook)
    }

    private func isDeletion(_ query: FormPairs, _ headers: HTTPFields) -> Bool {
        let event = query["event"] ?? headers[.webhookEvent] ?? headers[.zohoEvent] ?? ""
        return ["deleted", "delete"].contains(event.lowercased())
    }

    // MARK: - What it says

    private func contents(
        of body: WebhookBody, _ damage: String?, _ webhook: Webhook, _ source: DeliverySource
    ) -> [(entity: String, content: NewDelivery.Content)] {
        let entity = webhook.entities[0].entity.name
        if let damage { return [(entity, .unreadable(body: body.bytes, reason: damage, source: source))] }
        do {
            return try webhook.read(body.json).map { delivery in
                let kind = InboxEntry.Kind(delivery, of: webhook, isDeletion: source.isDeletion)
                return (
                    delivery.mapping.entity.name, .readable(kind, zohoID: delivery.id, record: delivery.record)
                )
            }
        } catch {
            return [(entity, .unreadable(body: body.bytes, reason: "\(error)", source: source))]
        }
    }

    private func store(
        _ contents: [(entity: String, content: NewDelivery.Content)], _ webhook: Webhook, _ receivedAt: Int64,
        _ context: ServerContext
    ) async throws -> Response {
        let ids: [Int64]
        do {
            ids = try await inbox.store(
                contents.map { entity, content in
                    NewDelivery(
                        entity: entity, content: content, receivedAt: receivedAt, requestID: context.requestID)
                })
        } catch {
            count(webhook.name, "unavailable")
            throw Problem.unavailable("The delivery cannot be stored now. Send it again later.", cause: error)
        }
        var status = "stored"
        var kind = Accepted.Kind.delivery
        if case .unreadable(_, let reason, _)? = contents.first?.content {
            count(webhook.name, "unreadable")
            arrivals.note(.unreadable, webhook.name)
            status = "stored as a dead letter: \(reason)"
            kind = .deadLetter
            logger.warning(
                "A delivery cannot be read and was stored as a dead letter",
                metadata: [
                    "request_id": "\(context.requestID)", "webhook": "\(webhook.name)", "reason": "\(reason)",
                ])
        } else {
            count(webhook.name, "accepted")
            // One request is one of the day's webhooks, however many records it is about.
            // A working stock or price rule says nothing about the rule for the records themselves.
            let subjects = webhook.content == .marks ? [webhook.name] : Set(contents.map(\.entity))
            for subject in subjects { arrivals.note(.received, subject) }
            logger.debug(
                "Delivery stored",
                metadata: [
                    "request_id": "\(context.requestID)", "webhook": "\(webhook.name)",
                    "delivery": "\(ids.map(String.init).joined(separator: ","))",
                ])
        }
        return .json(.accepted, Accepted(kind: kind, id: ids.first, ids: ids, status: status))
    }

    private func count(_ webhook: String, _ result: String) {
        metrics.count(.deliveries, .init(["webhook": webhook, "result": result]))
    }
}
