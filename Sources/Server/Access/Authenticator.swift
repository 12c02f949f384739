import HTTPTypes
import Hummingbird
import Logging
import Mirror
import Synchronization
import ZohoBooks

/// What a route asks of its caller.
enum Access: Sendable, Hashable {
    /// Nothing: liveness, and webhooks, which have their signature.
    case open
    /// A token of that role, or of one that allows more.
    case token(APIToken.Role)
}

/// Checks bearer tokens.
final class Authenticator: Sendable {
    private let mirror: Mirror
    private let clock: any Clock<Duration>
    private let metrics: Metrics
    private let logger: Logger
    private let limit = Mutex(FailureLimit())
    private let remembered = Mutex(TokenCache())

    init(_ mirror: Mirror, _ clock: any Clock<Duration>, metrics: Metrics, logger: Logger) {
        self.mirror = mirror
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    /// The token of a request.
    ///
    /// - Throws: ``Problem`` where it has none that suffices.
    func token(of request: Request, from caller: String, for role: APIToken.Role) async throws -> APIToken {
        guard let header = request.headers[.authorization] else {
            throw unauthorized("Send a token as Authorization: Bearer …; zohosync auth token create creates one.")
        }
        let parts = header.split(separator: " ", maxSplits: 1)
        let secret = parts.count == 2 && parts[0].lowercased() == "bearer" ? String(parts[1]) : ""
        let digest = APIToken.digest(of: secret)
        try checkPause(of: caller, digest)
        guard let token = try await token(secret, digest, for: role) else { throw refusal(of: caller) }
        guard role == .read || token.role == .operate else {
            throw Problem(.forbidden, "This needs a token with the role operate; \(token.name) has the role read.")
        }
        return token
    }

    // MARK: - Guesses

    /// While a caller is told to wait, lets through only a token that was confirmed lately: a guesser learns nothing,
    /// and others at the same address are not locked out.
    private func checkPause(of caller: String, _ digest: String) throws {
        let time = mirror.now()
        guard let pause = limit.withLock({ $0.pause(for: caller, at: time) }),
            remembered.withLock({ $0.token(digest, at: time) }) == nil
        else { return }
        metrics.count(.refusedTokens, .init(["result": "paused"]))
        var problem = Problem(.tooManyRequests, "Too many requests with a wrong token. Wait \(pause) s.")
        problem.headers[.retryAfter] = String(pause)
        throw problem
    }

    private func refusal(of caller: String) -> Problem {
        metrics.count(.refusedTokens, .init(["result": "wrong"]))
        let time = mirror.now()
        let isPaused = limit.withLock { limit in
            limit.fail(caller, at: time)
            return limit.pause(for: caller, at: time) != nil
        }
        if isPaused {
            logger.warning("A caller sent too many wrong tokens and has to wait", metadata: ["caller": "\(caller)"])
        }
        return unauthorized("The token is wrong or was revoked; zohosync auth token create creates another.")
    }

    private func unauthorized(_ detail: String) -> Problem {
        var problem = Problem(.unauthorized, detail)
        problem.headers[.wwwAuthenticate] = "Bearer"
        return problem
    }

    // MARK: - Tokens

    /// The valid token with this secret; nil where there is none.
    ///
    /// While the database does not answer, a remembered token may still read, so that people can see what is wrong, but
    /// change nothing.
    private func token(_ secret: String, _ digest: String, for role: APIToken.Role) async throws -> APIToken? {
        guard !secret.isEmpty else { return nil }
        do {
            let token = try await within(Deadline.query, clock: clock) { [mirror] in
                try await mirror.apiToken(secret)
            }
            remembered.withLock { $0.remember(token, digest, at: mirror.now()) }
            return token
        } catch {
            guard role == .read, let token = remembered.withLock({ $0.token(digest, at: mirror.now()) }) else {
                throw error
            }
            return token
        }
    }
}
