import Foundation
import Logging
import NIOHTTP1

/// One call of the API.
struct Call: Sendable {
    let path: String
    let query: [(String, String)]
    /// The key of the answer that holds what was asked for.
    let key: String
    let kind: CallKind
    let priority: CallPriority
}

extension ZohoBooksClient {
    /// Makes a call until it has an answer or a reason to give up.
    ///
    /// - Returns: the answer, and when it was received.
    func perform(_ call: Call) async throws -> (Envelope, Date) {
        var token = try await tokens.token()
        var hasRefreshed = false
        var attempt = 1
        var throttles = 0
        while true {
            let failure: CallFailure
            switch try await attemptOnce(call, token) {
            case .success(let answer): return answer
            case .failure(let reason): failure = reason
            }
            let metadata: Logger.Metadata = [
                "path": "\(call.path)", "attempt": "\(attempt)", "failure": "\(failure.label)",
            ]
            switch RetryDecision(failure) {
            case .retry where attempt < configuration.retries.attempts:
                environment.logger.debug("call failed and is made again", metadata: metadata)
                try await pause(configuration.retries.backoff(attempt, random: environment.random()))
                attempt += 1
            case .refreshToken where !hasRefreshed:
                environment.logger.debug("token refused and replaced", metadata: metadata)
                hasRefreshed = true
                token = try await tokens.token(instead: token)
            case .throttled where throttles < configuration.retries.throttles:
                environment.logger.debug("call throttled", metadata: metadata)
                throttles += 1
            default:
                throw ZohoBooksError(failure, path: call.path, configuration)
            }
        }
    }

    private enum Attempt {
        case success((Envelope, Date))
        case failure(CallFailure)
    }

    private func attemptOnce(_ call: Call, _ token: AccessToken) async throws -> Attempt {
        let ticket = try await leave(for: call)
        var outcome = CallOutcome(status: 0, code: 0)
        let result: Transport.Result
        do {
            result = try await transport.get(url(of: call, token), headers: headers(token))
        } catch {
            try? await calls.finish(ticket, outcome, at: environment.now())
            throw error
        }
        let receivedAt = environment.now()
        let attempt: Attempt
        switch result {
        case .failure(let failure):
            attempt = .failure(failure)
        case .answer(let answer):
            outcome = CallOutcome(answer.headers, status: answer.status)
            do {
                let envelope = try Envelope(answer.body, key: call.key)
                outcome.code = envelope.code
                if answer.status < 400, envelope.code == 0, envelope.records != nil || envelope.record != nil {
                    attempt = .success((envelope, receivedAt))
                } else if answer.status < 400, envelope.code == 0 {
                    attempt = .failure(.unreadable(status: answer.status, "an answer without \(call.key)"))
                } else {
                    attempt = .failure(
                        .refused(status: answer.status, code: envelope.code, message: redacted(envelope.message)))
                }
            } catch {
                let reason = answer.body.isEmpty ? "an empty answer" : "an answer that is not whole JSON"
                attempt = .failure(.unreadable(status: answer.status, "HTTP \(answer.status) with \(reason)"))
            }
        }
        try await calls.finish(ticket, outcome, at: receivedAt)
        return attempt
    }

    /// Waits until the budget allows the call.
    private func leave(for call: Call) async throws -> CallTicket {
        var waited: Duration = .zero
        while true {
            switch try await calls.reserve(call.kind, call.priority, at: environment.now()) {
            case .go(let ticket):
                return ticket
            case .wait(let duration):
                waited += duration
                // Waiting for a place among many calls of our own is bounded by them; a long pause is not ours to sit out.
                guard duration <= configuration.maximumWait else {
                    throw ZohoBooksError.quota(until: environment.now().addingTimeInterval(duration.seconds))
                }
                try await pause(duration)
            case .exhausted(let until):
                throw ZohoBooksError.quota(until: until)
            }
        }
    }

    private func pause(_ duration: Duration) async throws {
        do {
            try await environment.sleep(duration)
        } catch {
            throw ZohoBooksError.cancelled
        }
    }

    private func url(of call: Call, _ token: AccessToken) -> String {
        let host = configuration.apiURL.map { "\($0)" } ?? trusted(token.apiDomain) ?? configuration.dataCenter.apiURL
        let organization = configuration.organizationID
        let query = (call.query + (organization.isEmpty ? [] : [("organization_id", organization)]))
            .map { "\($0)=\($1.percentEncoded)" }.joined(separator: "&")
        return "\(host.hasSuffix("/") ? String(host.dropLast()) : host)/books/v3/\(call.path)?\(query)"
    }

    /// A host that a token may name: one of Zoho's own, so that no answer can lead the token elsewhere.
    private func trusted(_ domain: String?) -> String? {
        guard let domain, let url = URL(string: domain), url.scheme == "https", let host = url.host else { return nil }
        let isZoho = DataCenter.allCases.contains { host == "www.zohoapis.\($0.rawValue)" }
        return isZoho ? "https://\(host)" : nil
    }

    private func headers(_ token: AccessToken) -> HTTPHeaders {
        [
            "authorization": "Zoho-oauthtoken \(token.value)", "accept": "application/json",
            "user-agent": "zohosync",
        ]
    }

    /// A server's text without any secret that it may echo.
    private func redacted(_ message: String) -> String {
        var text = String(message.prefix(200))
        for secret in [configuration.clientSecret.value, configuration.refreshToken.value] where !secret.isEmpty {
            text = text.replacingOccurrences(of: secret, with: "<redacted>")
        }
        return text.replacing(#/1000\.[0-9a-f]{16,}\.[0-9a-f]{16,}/#, with: "<redacted>")
    }
}

extension Duration {
    /// Seconds, as Foundation counts them.
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}

extension CallOutcome {
    /// Reads what the headers say of the budget (reference, section 2.3).
    init(_ headers: HTTPHeaders, status: Int) {
        self.init(status: status, code: 0)
        func number(_ name: String) -> Int? { headers.first(name: name).flatMap { Int($0) } }
        dailyLimit = number("x-rate-limit-limit")
        dailyRemaining = number("x-rate-limit-remaining")
        dailyReset = number("x-rate-limit-reset")
        retryAfter = number("retry-after").map { .seconds($0) }
    }
}

extension CallFailure {
    /// What a log may hold of it.
    var label: String {
        switch self {
        case .noAnswer(let reason), .unreadable(_, let reason): reason
        case .refused(let status, let code, _): "HTTP \(status) code \(code)"
        }
    }
}

extension ZohoBooksError {
    /// What a failure means once it is final.
    init(_ failure: CallFailure, path: String, _ configuration: ZohoBooksConfiguration) {
        switch failure {
        case .noAnswer(let reason):
            self.init(
                .network, "Zoho Books cannot be reached (\(reason)).",
                advice: "Check the network, ZOHO_DATA_CENTER and ZOHO_API_URL, then run the command again.")
        case .unreadable(let status, let reason):
            self.init(
                .invalidAnswer, "Zoho Books answers \(path) with something unreadable: \(reason) (HTTP \(status)).",
                advice: "It may be under maintenance; run the command again later.")
        case .refused(let status, let code, let message):
            self.init(refused: status, code, message, path: path, configuration)
        }
    }

    private init(
        refused status: Int, _ code: Int, _ message: String, path: String, _ configuration: ZohoBooksConfiguration
    ) {
        let said = "Zoho says: \(message) (HTTP \(status), code \(code))"
        switch (status, code) {
        case (_, 57), (401, _), (_, 14):
            self.init(
                .scope, code: code, "Zoho does not let this token read \(path).",
                advice: "Check that the refresh token was made with the scopes in docs/configuration.md, that "
                    + "ZOHO_DATA_CENTER is right, and that its user may see the module. \(said)")
        case (_, 6_041):
            self.init(
                .organisation, code: code,
                "The organisation \(configuration.organizationID) is none of this user's.",
                advice: "Copy ZOHO_ORGANIZATION_ID from Zoho Books: Settings, Organisation Profile.")
        case (429, _), (_, 44), (_, 45), (_, 1_070), (_, 43):
            self.init(
                .badRequest, code: code, "Zoho keeps throttling calls to \(path).",
                advice: "Something else uses the organisation's calls; try again later. \(said)")
        case (500..., _), (_, 1_000):
            self.init(
                .server, code: code, "Zoho Books keeps failing to answer \(path).",
                advice: "Run the command again later. \(said)")
        case (404, 5):
            self.init(
                .moduleUnavailable, code: code, "This organisation has no \(path).",
                advice: "Leave it out, or switch the module on in Zoho Books.")
        default:
            self.init(.badRequest, code: code, "Zoho refuses the call to \(path).", advice: said)
        }
    }

    /// Whether a record does not exist; the exact code differs between modules (reference, section 12, no.
    ///
    /// 6).
    var isNotFound: Bool {
        switch kind {
        case .badRequest: code == 1_002 || isStatusNotFound || advice.contains("does not exist.")
        default: false
        }
    }

    private var isStatusNotFound: Bool { advice.contains("(HTTP 404,") }
}
