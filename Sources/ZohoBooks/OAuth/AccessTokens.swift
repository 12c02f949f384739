import Foundation
import Logging

/// Gives the access token to every call: one for all of them, in this process and in others on the same store.
actor AccessTokens {
    private let configuration: ZohoBooksConfiguration
    private let store: any TokenStore
    private let transport: Transport
    private let seal: TokenSeal
    private let redaction: Redaction
    private let environment: ClientEnvironment
    private var current: AccessToken?
    private var renewal: Task<AccessToken, any Error>?
    /// A replacement that Zoho refused at once as well, and until when it is not replaced in turn.
    private var refusedReplacement: (token: AccessToken, until: Date)?

    /// Zoho gives ten in ten minutes; one is left for a person who tries something by hand.
    private static let tokensPerTenMinutes = 9
    private static let tenMinutes: TimeInterval = 600
    /// What a token may take, all attempts together, is less than the 30 seconds of the right to fetch it.
    private static let attempts = 3
    private static let callTimeout: Duration = .seconds(8)

    init(
        _ configuration: ZohoBooksConfiguration, store: any TokenStore, transport: Transport,
        environment: ClientEnvironment
    ) {
        self.configuration = configuration
        self.store = store
        self.transport = transport
        self.environment = environment
        seal = TokenSeal(configuration)
        redaction = Redaction(configuration)
    }

    /// The token to use.
    ///
    /// - Parameter refused: a token that Zoho has just refused, so that the same one is not given again.
    /// - Throws: `CancellationError` as soon as the caller is cancelled; the others still get their token.
    func token(instead refused: AccessToken? = nil) async throws -> AccessToken {
        while true {
            if let current, isUsable(current, refused) { return current }
            guard let renewal else { return try await renew(instead: refused).valueUnlessCancelled }
            let token = try await renewal.valueUnlessCancelled
            if token != refused { return token }
        }
    }

    /// A new token, although the one that all share may still be good: whether the refresh token is accepted shows in
    /// no other way.
    ///
    /// Half of what Zoho gives in ten minutes is left to those who need one: where so many came, it was accepted.
    func renewed() async throws -> AccessToken {
        let stored = try await store.load()
        let shared = usable(stored, nil)
        if let shared, recent(stored).count > Self.tokensPerTenMinutes / 2 { return shared }
        if current != shared { current = nil }
        return try await token(instead: shared)
    }

    /// When the token at rest lapses; nil where there is none.
    func expiresAt() async throws -> Date? { try await store.load()?.expiresAt }

    /// Whether replacing a refused token may help.
    ///
    /// Zoho's code 57 means an expired token as well as a missing scope (reference, section 3.2). Where a new token has
    /// been refused too, it is the scope, and further ones would only use up the ten of these minutes.
    func isReplaceable(_ refused: AccessToken) -> Bool {
        guard let refusedReplacement, refusedReplacement.token == refused else { return true }
        return environment.now() >= refusedReplacement.until
    }

    /// Remembers that a replacement was refused like the token before it.
    func noteRefusedReplacement(_ token: AccessToken) {
        refusedReplacement = (token, environment.now().addingTimeInterval(Self.tenMinutes))
    }

    private func isUsable(_ token: AccessToken, _ refused: AccessToken?) -> Bool {
        token != refused && token.renewAt > environment.now()
    }

    /// A task of its own, so that it outlives the call that happened to need it first.
    private func renew(instead refused: AccessToken?) -> Task<AccessToken, any Error> {
        let task = Task {
            defer { renewal = nil }
            let token = try await obtain(instead: refused)
            current = token
            return token
        }
        renewal = task
        return task
    }

    /// Another process's token where there is one, else a new one.
    private func obtain(instead refused: AccessToken?) async throws -> AccessToken {
        // Longer than the right to fetch lasts, so that the other process has either saved or lost it.
        for _ in 0..<160 {
            if let token = usable(try await store.load(), refused) { return token }
            if try await store.acquireRefresh() {
                let result: Result<AccessToken, any Error>
                do {
                    result = .success(try await fetch(instead: refused))
                } catch {
                    result = .failure(error)
                }
                // It lapses by itself where it cannot be given back.
                try? await store.releaseRefresh()
                return try result.get()
            }
            try await environment.sleep(.milliseconds(250))
        }
        throw ZohoBooksError(
            .network, "Another process has been fetching an access token for too long.",
            advice: "Run the command again.")
    }

    private func usable(_ stored: SealedToken?, _ refused: AccessToken?) -> AccessToken? {
        stored.flatMap { seal.open($0.sealed) }.flatMap { isUsable($0, refused) ? $0 : nil }
    }

    private func fetch(instead refused: AccessToken?) async throws -> AccessToken {
        let stored = try await store.load()
        // It may have been saved between the look and the lock.
        if let token = usable(stored, refused) { return token }
        let now = environment.now()
        let recent = self.recent(stored)
        if let until = stored?.throttledUntil, until > now { throw Self.throttled(until: until) }
        if recent.count >= Self.tokensPerTenMinutes, let first = recent.first {
            throw Self.throttled(until: first.addingTimeInterval(Self.tenMinutes))
        }
        var attempt = 1
        while true {
            let now = environment.now()
            switch try await ask(now) {
            case .token(let token):
                try await store.save(
                    SealedToken(sealed: try seal.seal(token), expiresAt: token.expiresAt, issued: recent + [now]))
                environment.logger.debug("access token issued", metadata: ["expires_at": "\(token.expiresAt)"])
                return token
            case .refused(let error):
                try await drop(refused, stored, now)
                throw ZohoBooksError.token(redaction.clean(error))
            case .throttled:
                let until = now.addingTimeInterval(Self.tenMinutes)
                var kept = stored ?? SealedToken(sealed: [], expiresAt: now, issued: [])
                kept.throttledUntil = until
                try await store.save(kept)
                throw Self.throttled(until: until)
            case .failed where attempt < min(Self.attempts, configuration.retries.attempts):
                environment.logger.debug("token call failed and is retried", metadata: ["attempt": "\(attempt)"])
                try await environment.sleep(configuration.retries.backoff(attempt, random: environment.random()))
                attempt += 1
            case .failed, .foreign:
                throw ZohoBooksError(
                    .network, "Zoho's accounts server gave no usable answer.",
                    advice: "Check the network, ZOHO_DATA_CENTER and ZOHO_ACCOUNTS_URL.")
            }
        }
    }

    /// When tokens were issued in these ten minutes.
    private func recent(_ stored: SealedToken?) -> [Date] {
        (stored?.issued ?? []).filter { environment.now().timeIntervalSince($0) < Self.tenMinutes }
    }

    /// Forgets a token that cannot be replaced any more, so that nobody takes it for a proof of access.
    private func drop(_ refused: AccessToken?, _ stored: SealedToken?, _ now: Date) async throws {
        if current == refused { current = nil }
        guard let refused, var kept = stored, seal.open(kept.sealed) == refused else { return }
        (kept.sealed, kept.expiresAt) = ([], now)
        try await store.save(kept)
    }

    private func ask(_ now: Date) async throws -> TokenAnswer {
        let form = [
            ("grant_type", "refresh_token"), ("refresh_token", configuration.refreshToken.value),
            ("client_id", configuration.clientID), ("client_secret", configuration.clientSecret.value),
        ]
        let url = "\(configuration.accounts)/oauth/v2/token"
        switch try await transport.post(form: form, to: url, within: min(Self.callTimeout, configuration.callTimeout)) {
        case .answer(let answer): return TokenAnswer(status: answer.status, body: answer.body, now: now)
        case .failure: return .failed
        }
    }

    private static func throttled(until: Date) -> ZohoBooksError {
        ZohoBooksError(
            .tokenThrottle(until: until),
            "Zoho issues no more access tokens for now (ten in ten minutes).",
            advice:
                "Wait until \(until.formatted(.iso8601)), and let all processes use one database, which shares the token."
        )
    }
}
