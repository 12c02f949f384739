/// The state of the OAuth endpoint: which tokens are valid, and when they were issued (sections 1.4 to 1.6).
struct TokenLedger: Sendable {
    struct Token: Sendable {
        let text: String
        let scopes: Set<String>
        let expires: Double
    }

    enum Answer: Sendable, Equatable {
        /// A new access token; a grant code also gives the refresh token.
        case token(String, refreshToken: String?, scopes: [String])
        /// An error that Zoho sends with HTTP 200.
        case error(String)
        /// Too many requests, HTTP 400.
        case throttled
    }

    enum Standing: Sendable, Equatable {
        case valid(scopes: Set<String>)
        /// Expired, evicted, revoked or never issued.
        case unknown
    }

    var rules: SimulatorConfiguration.OAuth
    private let seed: UInt64
    private var tokens: [Token] = []
    private var issued: [Double] = []
    private var total = 0
    private var usedGrantCodes: Set<String> = []
    private var isRefreshTokenRevoked = false

    init(rules: SimulatorConfiguration.OAuth, seed: UInt64) {
        self.rules = rules
        self.seed = seed
    }

    /// Answers one request to the token endpoint at `now`, in seconds since 1970.
    mutating func answer(_ parameters: [String: String], now: Double) -> Answer {
        guard parameters["client_id"] == rules.clientID else { return .error("invalid_client") }
        guard parameters["client_secret"] == rules.clientSecret else { return .error("invalid_client_secret") }
        let isGrant = parameters["grant_type"] == "authorization_code"
        switch parameters["grant_type"] {
        case "refresh_token":
            guard parameters["refresh_token"] == rules.refreshToken, !isRefreshTokenRevoked else {
                return .error("invalid_code")
            }
        case "authorization_code":
            if let expected = rules.redirectURI, let given = parameters["redirect_uri"], given != expected {
                return .error("invalid_redirect_uri")
            }
            guard let code = parameters["code"], rules.grantCodes.contains(code), !usedGrantCodes.contains(code) else {
                return .error("invalid_code")
            }
            usedGrantCodes.insert(code)
            isRefreshTokenRevoked = false
        default:
            return .error("invalid_request")
        }
        issued.removeAll { $0 <= now - 600 }
        if let limit = rules.tokensPerTenMinutes, issued.count >= limit { return .throttled }
        issued.append(now)
        let text = issue(now: now)
        return .token(text, refreshToken: isGrant ? rules.refreshToken : nil, scopes: rules.scopes)
    }

    /// The tokens that are valid.
    var texts: [String] { tokens.map(\.text) }

    func standing(of token: String, now: Double) -> Standing {
        guard let found = tokens.first(where: { $0.text == token }), found.expires > now else { return .unknown }
        return .valid(scopes: found.scopes)
    }

    /// Revokes a refresh token and what came from it, or one access token; says whether there was such a token.
    mutating func revoke(_ token: String) -> Bool {
        if token == rules.refreshToken {
            isRefreshTokenRevoked = true
            tokens.removeAll()
            return true
        }
        let before = tokens.count
        tokens.removeAll { $0.text == token }
        return tokens.count < before
    }

    /// Makes every access token worthless, as if all had expired; the refresh token stays good.
    mutating func expireAll() { tokens.removeAll() }

    private mutating func issue(now: Double) -> String {
        total += 1
        var draw = Draw(seed: seed, kind: 90, index: total)
        func hex(_ draw: inout Draw) -> String {
            var writer = JSONWriter(capacity: 32)
            for _ in 0..<32 { writer.byte(JSONWriter.hexDigit(UInt8(draw.below(16)))) }
            return String(decoding: writer.bytes, as: UTF8.self)
        }
        let text = "1000.\(hex(&draw)).\(hex(&draw))"
        tokens.append(
            Token(
                text: text, scopes: Set(rules.scopes),
                expires: now + Double(rules.tokenLifetime.components.seconds)))
        if let limit = rules.liveTokens, tokens.count > limit { tokens.removeFirst(tokens.count - limit) }
        return text
    }
}

extension TokenLedger.Standing {
    /// Whether the token may read what belongs to a scope group of Books.
    func allowsReading(_ group: String) -> Bool {
        guard case .valid(let scopes) = self else { return false }
        return scopes.contains("ZohoBooks.fullaccess.all") || scopes.contains("ZohoBooks.\(group).READ")
            || scopes.contains("ZohoBooks.\(group).ALL")
    }
}
