import Foundation

/// What the accounts server answers; errors come with HTTP 200 too (reference, sections 1.4 and 1.5).
enum TokenAnswer: Hashable {
    case token(AccessToken)
    /// Zoho's name for what is wrong.
    case refused(String)
    /// Too many tokens were asked for.
    case throttled
    /// The server had a fault, which may pass.
    case failed
    /// The answer is not one of Zoho's.
    case foreign

    /// An access token's life (section 1.6); what claims to live longer is in another unit.
    private static let lifetime = 3_600.0
    /// A token is replaced so long before its end, or earlier where its life is short.
    private static let margin = 300.0

    init(status: Int, body: [UInt8], now: Date) {
        guard status < 500 else {
            self = .failed
            return
        }
        guard let content = Self.read(body) else {
            self = status == 429 ? .throttled : (300..<500).contains(status) ? .foreign : .failed
            return
        }
        if let error = content["error"] {
            self = error == "Access Denied" || status == 429 ? .throttled : .refused(error)
        } else if status < 300, let token = content["access_token"], Self.isPlain(token) {
            let life = min(max(0, content["expires_in"].flatMap { Double($0) } ?? Self.lifetime), Self.lifetime)
            self = .token(
                AccessToken(
                    value: Secret(token), apiDomain: content["api_domain"], expiresAt: now.addingTimeInterval(life),
                    renewAt: now.addingTimeInterval(life - min(Self.margin, life / 4))))
        } else {
            self = status < 300 ? .failed : .foreign
        }
    }

    /// The texts and numbers of the answer, nil where it is no object.
    private static func read(_ body: [UInt8]) -> [String: String]? {
        var content: [String: String] = [:]
        do {
            try RawJSON(body[...]).read { root in
                try root.members { key, value in
                    guard value.kind == .string || value.kind == .number else { return }
                    content[try JSONView.text(ofKey: key)] = try value.text()
                }
            }
            return content
        } catch {
            return nil
        }
    }

    /// Whether a token can stand in a header.
    private static func isPlain(_ token: String) -> Bool {
        !token.isEmpty && token.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
