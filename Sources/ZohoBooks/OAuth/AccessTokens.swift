import Foundation
import Logging

/// Gives the access token to every call: one for all of them, in this process and in others on the same store.
actor AccessTokens {
    private let configuration: ZohoBooksConfiguration
    private let store: any TokenStore
    private let transport: Transport
    private let seal: TokenSeal
    private let environment: ClientEnvironment
    private var current: AccessToken?
    private var refresh: Task<AccessToken, any Error>?

    /// A token is replaced when less than this is left of its life.
    private static let margin: TimeInterval = 300
    /// Zoho gives ten in ten minutes; one is left for a person who tries something by hand.
    private static let tokensPerTenMinutes = 9

    init(
        _ configuration: ZohoBooksConfiguration, store: any TokenStore, transport: Transport,
        environment: ClientEnvironment
    ) {
        self.configuration = configuration
        self.store = store
        self.transport = transport
        self.environment = environment
        seal = TokenSeal(configuration)
    }

    /// The token to use.
    ///
    /// - Parameter refused: a token that Zoho has just refused, so that the same one is not given again.
    func token(instead refused: AccessToken? = nil) async throws -> AccessToken {
        if let current, isUsable(current, refused) { return current }
        if let refresh {
            let token = try await refresh.value
            if isUsable(token, refused) { return token }
        }
        let task = Task { try await obtain(instead: refused) }
        refresh = task
        defer { if refresh == task { refresh = nil } }
        let token = try await task.value
        current = token
        return token
    }

    private func isUsable(_ token: AccessToken, _ refused: AccessToken?) -> Bool {
        token != refused && token.expiresAt.timeIntervalSince(environment.now()) > Self.margin
    }

    /// Another process's token where there is one, else a new one.
    private func obtain(instead refused: AccessToken?) async throws -> AccessToken {
        // Longer than a call to the accounts server can take, so that the other process has either saved or given up.
        for _ in 0..<200 {
            let stored = try await store.load()
            if let stored, let token = seal.open(stored.sealed), isUsable(token, refused) { return token }
            if try await store.acquireRefresh() {
                do {
                    let token = try await fetch(after: try await store.load(), instead: refused)
                    try await store.releaseRefresh()
                    return token
                } catch {
                    try? await store.releaseRefresh()
                    throw error
                }
            }
            try await environment.sleep(.milliseconds(250))
        }
        throw ZohoBooksError(
            .network, "Another process has been fetching an access token for too long.",
            advice: "Run the command again.")
    }

    private func fetch(after stored: SealedToken?, instead refused: AccessToken?) async throws -> AccessToken {
        // It may have been saved between the look and the lock.
        if let stored, let token = seal.open(stored.sealed), isUsable(token, refused) { return token }
        let now = environment.now()
        let recent = (stored?.issued ?? []).filter { now.timeIntervalSince($0) < 600 }
        if recent.count >= Self.tokensPerTenMinutes, let first = recent.first {
            throw Self.throttled(until: first.addingTimeInterval(600))
        }
        var attempt = 1
        while true {
            switch try await ask(now) {
            case .token(let token):
                try await store.save(
                    SealedToken(sealed: try seal.seal(token), expiresAt: token.expiresAt, issued: recent + [now]))
                environment.logger.debug("access token issued", metadata: ["expires_at": "\(token.expiresAt)"])
                return token
            case .refused(let error):
                throw error
            case .throttled:
                throw Self.throttled(until: now.addingTimeInterval(600))
            case .unreadable:
                guard attempt < configuration.retries.attempts else {
                    throw ZohoBooksError(
                        .network, "Zoho's accounts server at \(configuration.accounts) gives no usable answer.",
                        advice: "Check the network, ZOHO_DATA_CENTER and ZOHO_ACCOUNTS_URL.")
                }
                try await environment.sleep(configuration.retries.backoff(attempt, random: environment.random()))
                attempt += 1
            }
        }
    }

    private func ask(_ now: Date) async throws -> TokenAnswer {
        let form = [
            ("grant_type", "refresh_token"), ("refresh_token", configuration.refreshToken.value),
            ("client_id", configuration.clientID), ("client_secret", configuration.clientSecret.value),
        ]
        switch try await transport.post(form: form, to: "\(configuration.accounts)/oauth/v2/token") {
        case .answer(let answer): return TokenAnswer(status: answer.status, body: answer.body, now: now)
        case .failure: return .unreadable
        }
    }

    private static func throttled(until: Date) -> ZohoBooksError {
        ZohoBooksError(
            .tokenThrottle(until: until),
            "Zoho issues no more access tokens for now (ten in ten minutes).",
            advice:
                "Wait until \(until.formatted(.iso8601)), and let all processes use the same database, which shares one."
        )
    }
}
