import Catalog
import HTTPTypes
import Hummingbird
import ZohoBooks

/// What proves that a delivery is Zoho's: a signature over it, or a key.
struct WebhookProof: Sendable {
    /// The secret of Zoho's signature; nil where webhooks are not signed.
    let secret: Secret?
    /// The value that `X-Webhook-Key` must have; nil where none is expected.
    let key: Secret?

    /// Whether a delivery has to prove anything.
    var isExpected: Bool { secret != nil || key != nil }

    /// Whether a request carries the right key.
    func hasKey(_ request: Request) -> Bool {
        guard let key, let given = request.headers[.webhookKey] else { return false }
        return WebhookSignature.isEqual(key.revealed.utf8, given.utf8)
    }

    /// Whether a request has a signature, which only its body can prove right.
    func claimsSignature(_ request: Request) -> Bool {
        secret != nil && request.headers[.webhookSignature] != nil
    }

    /// Whether a request carries the right signature.
    ///
    /// - Parameters:
    ///   - body: without its compression.
    ///   - received: as it came.
    func isSigned(_ request: Request, _ body: WebhookBody, received: [UInt8]) -> Bool {
        guard let secret = secret?.revealed, let signature = request.headers[.webhookSignature] else { return false }
        let pairs = FormPairs(request.uri.query ?? "").pairs + (body.form?.pairs ?? [])
        let signed = body.form == nil ? body.bytes : []
        if WebhookSignature.isValid(signature, pairs: pairs, body: signed, secret: secret) { return true }
        // It is unknown whether Zoho signs a body before or after compressing it.
        return signed != received && body.form == nil
            && WebhookSignature.isValid(signature, pairs: pairs, body: received, secret: secret)
    }

    /// Whether a request whose body was not read yet carries the right signature or key.
    func isGiven(by request: Request, _ context: ServerContext, _ bodies: BodyReader) async -> Bool {
        if hasKey(request) { return true }
        guard claimsSignature(request),
            let received = try? await bodies.body(of: request, context, upTo: WebhookBody.limit)
        else { return false }
        let unpacked = (try? Gzip.unpacked(received, request.headers[.contentEncoding])) ?? received
        let body = WebhookBody(unpacked, contentType: request.headers[.contentType])
        return isSigned(request, body, received: received)
    }
}
