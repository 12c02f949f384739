import Foundation

/// What the accounts server answers; errors come with HTTP 200 too (reference, sections 1.4 and 1.5).
enum TokenAnswer: Hashable {
    case token(AccessToken)
    case refused(ZohoBooksError)
    /// Too many tokens were asked for.
    case throttled
    /// The server had a fault, or the answer is not one of its own.
    case unreadable

    init(status: Int, body: [UInt8], now: Date) {
        struct Body: Decodable {
            let access_token: String?
            let api_domain: String?
            let expires_in: Int?
            let error: String?
        }
        guard let body = try? JSONDecoder().decode(Body.self, from: Data(body)) else {
            self = .unreadable
            return
        }
        if let error = body.error {
            self = error == "Access Denied" ? .throttled : .refused(.token(error))
        } else if status < 300, let token = body.access_token, !token.isEmpty {
            self = .token(
                AccessToken(
                    value: token, apiDomain: body.api_domain,
                    expiresAt: now.addingTimeInterval(Double(body.expires_in ?? 3_600))))
        } else {
            self = .unreadable
        }
    }
}
