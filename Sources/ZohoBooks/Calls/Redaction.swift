/// Takes secrets out of a server's text, which may echo what it was sent.
struct Redaction: Sendable {
    /// No error needs more of a server's text; most of a longer one is a page of HTML.
    static let maximumLength = 120

    private let secrets: [Secret]

    init(_ configuration: ZohoBooksConfiguration) {
        secrets = [configuration.clientSecret, configuration.refreshToken]
    }

    /// The text in one line, without the configuration's secrets, the `token` in use and whatever looks like one.
    func clean(_ text: String, token: AccessToken? = nil) -> String {
        var text = text
        for secret in secrets + (token.map { [$0.value] } ?? []) where !secret.value.isEmpty {
            text.replace(secret.value, with: "<redacted>")
            text.replace(secret.value.percentEncoded, with: "<redacted>")
        }
        text.replace(#/1000\.[0-9A-Za-z]{8,}(\.[0-9A-Za-z]*)?/#, with: "<redacted>")
        text.replace(#/\s+/#, with: " ")
        return String(text.prefix(Self.maximumLength))
    }
}
