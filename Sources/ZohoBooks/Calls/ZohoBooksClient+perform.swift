import Foundation
import Logging
import NIOHTTP1

/// One call of the API.
struct Call: Sendable {
    let path: String
    let query: [(String, String)]
    /// The key of the answer that holds what was asked for: an object for a detail, else a list.
    let key: String
    let kind: CallKind
    let priority: CallPriority
}

extension ZohoBooksClient {
    /// Makes a call until it has an answer or a reason to give up.
    ///
    /// - Returns: the answer, and when it was asked for: see ``RecordPage/observedAt``.
    func perform(_ call: Call) async throws -> (Envelope, Date) {
        var refused: AccessToken?
        var attempt = 1
        var throttles = 0
        while true {
            let token = try await token(instead: refused)
            let failed: Failed
            switch try await attemptOnce(call, token) {
            case .success(let answer): return answer
            case .failure(let failure): failed = failure
            }
            let metadata: Logger.Metadata = [
                "path": "\(call.path)", "attempt": "\(attempt)", "failure": "\(failed.failure.label)",
            ]
            switch RetryDecision(failed.failure) {
            case .retry where attempt < configuration.retries.attempts:
                environment.logger.debug("call failed and is retried", metadata: metadata)
                let random = environment.random()
                try await pause(configuration.retries.backoff(attempt, random: random, hint: failed.retryAfter))
                attempt += 1
                continue
            case .refreshToken:
                if refused == nil, await tokens.isReplaceable(token) {
                    environment.logger.debug("token refused and replaced", metadata: metadata)
                    refused = token
                    continue
                }
                if refused != nil { await tokens.noteRefusedReplacement(token) }
            case .throttled where throttles < configuration.retries.throttles:
                environment.logger.debug("call throttled", metadata: metadata)
                throttles += 1
                // The budget makes everybody wait; what was refused together must not come back together.
                if failed.failure.isConcurrency {
                    try await pause(configuration.retries.backoff(throttles, random: environment.random()))
                }
                continue
            case .retry, .throttled, .giveUp:
                break
            }
            throw ZohoBooksError(failed.failure, path: call.path, configuration)
        }
    }

    private func token(instead refused: AccessToken?) async throws -> AccessToken {
        do {
            return try await tokens.token(instead: refused)
        } catch is CancellationError {
            throw ZohoBooksError.cancelled
        }
    }

    private struct Failed: Error {
        let failure: CallFailure
        /// `Retry-After`, where one was sent.
        let retryAfter: Duration?
    }

    private func attemptOnce(_ call: Call, _ token: AccessToken) async throws -> Result<(Envelope, Date), Failed> {
        try counter?.begin()
        let ticket: CallTicket
        do {
            ticket = try await leave(for: call)
        } catch {
            counter?.giveBack()
            throw error
        }
        let sentAt = environment.now()
        let result: Transport.Result
        do {
            result = try await transport.get(
                url(of: call, token), headers: headers(token), within: configuration.callTimeout)
        } catch {
            try? await giveBack(ticket, CallOutcome(status: 0, code: 0), at: environment.now())
            throw error
        }
        let receivedAt = environment.now()
        var outcome = CallOutcome(status: 0, code: 0)
        var reading: Result<Envelope, CallFailure>
        switch result {
        case .failure(let failure):
            reading = .failure(failure)
        case .answer(let answer):
            outcome = CallOutcome(answer.headers, status: answer.status, at: receivedAt)
            clock.note(answer.headers.first(name: "date"), at: receivedAt)
            reading = Envelope.read(answer, for: call)
            if case .failure(.refused(_, let code, _)) = reading { outcome.code = code }
        }
        try await giveBack(ticket, outcome, at: receivedAt)
        return reading.map { ($0, sentAt) }
            .mapError { Failed(failure: $0.cleaned(redaction, token), retryAfter: outcome.retryAfter) }
    }

    // MARK: - The budget

    /// Places that other processes hold are asked for at this interval; nobody tells when one is free.
    private static let pollInterval: Duration = .milliseconds(250)

    /// Waits until the budget allows the call.
    private func leave(for call: Call) async throws -> CallTicket {
        var wasWoken = false
        while true {
            let freed = places.freed
            let (calls, now) = (calls, environment.now())
            let decision = try await uncancelled { try await calls.reserve(call.kind, call.priority, at: now) }
            // Who was woken and may not go yet leaves the place to the next in line.
            if wasWoken, !decision.concernsPlaces { places.wakeNext() }
            wasWoken = false
            switch decision {
            case .go(let ticket):
                places.take()
                return ticket
            case .busy(let underWay):
                try await waitForPlace(after: freed, isShared: underWay > places.taken)
                wasWoken = true
            case .wait(let duration):
                guard waitsForDetails || call.kind != .detail else {
                    throw ZohoBooksError.pace(until: now.addingTimeInterval(duration.seconds))
                }
                await waitObserver?(duration)
                try await pause(duration)
            case .exhausted(let until):
                throw ZohoBooksError.quota(until: until)
            }
        }
    }

    private func waitForPlace(after freed: Int, isShared: Bool) async throws {
        let (places, sleep) = (places, environment.sleep)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await places.wait(after: freed) }
            if isShared { group.addTask { try? await sleep(Self.pollInterval) } }
            await group.next()
            group.cancelAll()
        }
        if Task.isCancelled {
            places.wakeNext()
            throw ZohoBooksError.cancelled
        }
    }

    /// Also where the call was cancelled, or the place would be missing until its ticket lapses.
    private func giveBack(_ ticket: CallTicket, _ outcome: CallOutcome, at now: Date) async throws {
        defer { places.free() }
        observer?(outcome)
        let calls = calls
        try await uncancelled { try await calls.finish(ticket, outcome, at: now) }
    }

    /// Waits, unless it were longer than a call may take.
    private func pause(_ duration: Duration) async throws {
        guard duration <= configuration.maximumWait else {
            throw ZohoBooksError.unavailable(until: environment.now().addingTimeInterval(duration.seconds))
        }
        do {
            try await environment.sleep(duration)
        } catch {
            throw ZohoBooksError.cancelled
        }
    }

    // MARK: - The request

    func url(of call: Call, _ token: AccessToken) -> String {
        let host = configuration.apiURL?.base ?? trusted(token.apiDomain) ?? configuration.dataCenter.apiURL
        let organization = configuration.organizationID
        let query = (call.query + (organization.isEmpty ? [] : [("organization_id", organization)]))
            .map { "\($0)=\($1.percentEncoded)" }.joined(separator: "&")
        return "\(host)/books/v3/\(call.path)?\(query)"
    }

    /// A host that a token may name: one of Zoho's own or the accounts server's, so that no answer can lead the token
    /// elsewhere.
    private func trusted(_ domain: String?) -> String? {
        guard let domain, let url = URL(string: domain), let host = url.host, url.user == nil else { return nil }
        if let accounts = configuration.accountsURL {
            guard accounts.scheme == url.scheme, accounts.host == host, accounts.port == url.port else { return nil }
            return url.base
        }
        let isZoho = DataCenter.allCases.contains { host == "www.zohoapis.\($0.rawValue)" }
        return isZoho && url.scheme == "https" ? "https://\(host)" : nil
    }

    private func headers(_ token: AccessToken) -> HTTPHeaders {
        [
            "authorization": "Zoho-oauthtoken \(token.value.value)", "accept": "application/json",
            "user-agent": "zohosync",
        ]
    }
}

extension CallDecision {
    /// Whether it is about places in flight, and not about the pace.
    fileprivate var concernsPlaces: Bool {
        switch self {
        case .go, .busy: true
        case .wait, .exhausted: false
        }
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
    init(_ headers: HTTPHeaders, status: Int, at now: Date) {
        self.init(status: status, code: 0)
        func number(_ name: String) -> Int? { headers.first(name: name).flatMap { Int($0) } }
        dailyLimit = number("x-rate-limit-limit")
        dailyRemaining = number("x-rate-limit-remaining")
        dailyReset = number("x-rate-limit-reset")
        retryAfter = headers.first(name: "retry-after").flatMap { RetryAfter.duration($0, at: now) }
    }
}
