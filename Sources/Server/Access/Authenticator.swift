import HTTPTypes
import Hummingbird
import Mirror
import Synchronization

/// What a route asks of its caller.
enum Access: Sendable, Hashable {
    /// Nothing: liveness, and webhooks, which have their signature.
    case open
    /// A token of that role, or of one that may more.
    case token(APIToken.Role)
}

/// Checks bearer tokens.
final class Authenticator: Sendable {
    private let mirror: Mirror
    private let limit = Mutex(FailureLimit())
    private let remembered = Mutex(RememberedTokens())

    init(_ mirror: Mirror) { self.mirror = mirror }

    /// The token of a request.
    ///
    /// - Throws: ``Problem`` where it has none that suffices.
    func token(of request: Request, from caller: String, for role: APIToken.Role) async throws -> APIToken {
        guard let header = request.headers[.authorization] else {
            throw unauthorized("Send a token as Authorization: Bearer …; zohosync auth token create makes one.")
        }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            let token = try await token(String(parts[1]), for: role)
        else {
            throw refusal(of: caller)
        }
        guard role == .read || token.role == .operate else {
            throw Problem(.forbidden, "This needs a token of the role operate; \(token.name) has the role read.")
        }
        return token
    }

    /// What a wrong token is told; who guesses on and on is told to wait.
    ///
    /// Others with the same address and a right token do not notice.
    private func refusal(of caller: String) -> Problem {
        let time = mirror.now()
        let pause = limit.withLock { limit in
            let pause = limit.pause(for: caller, at: time)
            if pause == nil { limit.fail(caller, at: time) }
            return pause
        }
        guard let pause else { return unauthorized("The token is not valid or was revoked.") }
        var problem = Problem(.tooManyRequests, "Too many requests with a wrong token. Wait \(pause) s.")
        problem.headers[.retryAfter] = String(pause)
        return problem
    }

    /// The valid token that this is; nil where there is none.
    ///
    /// Whoever wants to see what is wrong is let in while the database cannot be asked, and can change nothing.
    private func token(_ secret: String, for role: APIToken.Role) async throws -> APIToken? {
        let digest = APIToken.digest(of: secret)
        do {
            let token = try await mirror.apiToken(secret)
            remembered.withLock { $0.remember(token, digest, at: mirror.now()) }
            return token
        } catch {
            guard role == .read, let token = remembered.withLock({ $0.token(digest, at: mirror.now()) }) else {
                throw error
            }
            return token
        }
    }

    private func unauthorized(_ detail: String) -> Problem {
        var problem = Problem(.unauthorized, detail)
        problem.headers[.wwwAuthenticate] = "Bearer"
        return problem
    }
}
