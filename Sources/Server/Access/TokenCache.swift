import Mirror

/// Tokens that the database has confirmed within the last hour, for while it does not answer; without a clock of its
/// own.
struct TokenCache: Sendable {
    /// Microseconds for which a token is believed after it was confirmed.
    static let lifetime: Int64 = 3_600_000_000

    private var tokens: [String: (token: APIToken, confirmedAt: Int64)] = [:]

    /// Notes what the database says of a digest: its token, or nil where it has none that is valid.
    mutating func remember(_ token: APIToken?, _ digest: String, at now: Int64) {
        // Only valid tokens are kept, so that guesses fill no memory.
        tokens[digest] = token.map { ($0, now) }
    }

    /// The token of a digest, where it was confirmed within the last hour.
    func token(_ digest: String, at now: Int64) -> APIToken? {
        guard let known = tokens[digest], now - known.confirmedAt < Self.lifetime else { return nil }
        return known.token
    }
}
