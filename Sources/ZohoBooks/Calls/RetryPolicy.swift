/// When a failed call is made again, and after how long.
public struct RetryPolicy: Sendable, Hashable {
    /// How often a call is made at most.
    public var attempts = 5
    /// The pause after the first failure; it doubles with each further one.
    public var base: Duration = .milliseconds(500)
    /// The longest pause, unless the server asks for a longer one.
    public var ceiling: Duration = .seconds(20)
    /// How often a call waits for leave after Zoho has throttled it; such waits are no attempts.
    public var throttles = 8

    /// Five attempts, from half a second on.
    public init() {}

    /// The pause after the `attempt`th failure: between one and two times the base, doubled for each earlier one.
    ///
    /// - Parameters:
    ///   - attempt: from 1.
    ///   - random: from 0 up to 1.
    ///   - hint: what the server asked for, which beats a shorter pause.
    public func backoff(_ attempt: Int, random: Double, hint: Duration? = nil) -> Duration {
        max(min(ceiling, base * (1 << min(max(0, attempt - 1), 16)) * (1 + random)), hint ?? .zero)
    }
}

/// What went wrong with one call.
enum CallFailure: Error, Hashable, Sendable {
    /// No answer: the connection could not be made or broke, or the time was up.
    case noAnswer(String)
    /// An answer that is not JSON, not whole, or not what was asked for.
    case unreadable(status: Int, String)
    /// Zoho's own refusal.
    case refused(status: Int, code: Int, message: String)
}

/// Whether a call is made again, and why.
enum RetryDecision: Hashable, Sendable {
    case retry(String)
    /// Once, with a new token.
    case refreshToken
    /// When the budget gives leave again.
    case throttled
    case giveUp

    /// Decides by the HTTP status first, then by Zoho's code (reference, section 3.2).
    init(_ failure: CallFailure) {
        switch failure {
        case .noAnswer(let reason): self = .retry(reason)
        case .unreadable(429, _): self = .throttled
        case .unreadable(401, _): self = .refreshToken
        // A redirect or the page of a proxy will be there the next time too.
        case .unreadable(300..<500, _): self = .giveUp
        case .unreadable: self = .retry(failure.label)
        case .refused(429, _, _): self = .throttled
        case .refused(401, _, _): self = .refreshToken
        case .refused(500..., _, _): self = .retry(failure.label)
        case .refused(_, let code, _):
            switch code {
            case _ where ThrottleCode(rawValue: code) != nil: self = .throttled
            case 14, 57: self = .refreshToken
            case 1_000: self = .retry(failure.label)
            default: self = .giveUp
            }
        }
    }
}

extension CallFailure {
    /// What a log may hold of it.
    var label: String {
        switch self {
        case .noAnswer(let reason): reason
        case .unreadable(let status, let reason): "HTTP \(status), \(reason)"
        case .refused(let status, let code, _): "HTTP \(status) code \(code)"
        }
    }
}

extension CallFailure {
    /// Too many calls at once.
    var isConcurrency: Bool {
        if case .refused(_, ThrottleCode.concurrency.rawValue, _) = self { true } else { false }
    }

    /// The same without any secret that a server or a library may echo.
    func cleaned(_ redaction: Redaction, _ token: AccessToken) -> CallFailure {
        switch self {
        case .noAnswer(let reason): .noAnswer(redaction.clean(reason, token: token))
        case .unreadable: self
        case .refused(let status, let code, let message):
            .refused(status: status, code: code, message: redaction.clean(message, token: token))
        }
    }
}
