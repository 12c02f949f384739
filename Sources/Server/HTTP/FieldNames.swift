import HTTPTypes

extension HTTPField.Name {
    static let webhookSignature = known("X-Zoho-Webhook-Signature")
    static let webhookKey = known("X-Webhook-Key")
    static let webhookEvent = known("X-Webhook-Event")
    static let zohoEvent = known("X-Zoho-Event")
    static let requestID = known("X-Request-Id")
    static let prefer = known("Prefer")
    static let preferenceApplied = known("Preference-Applied")
    static let lastEventID = known("Last-Event-ID")
    static let forwardedFor = known("X-Forwarded-For")

    private static func known(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is no name of a field") }
        return name
    }
}
