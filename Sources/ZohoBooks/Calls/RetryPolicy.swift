/// When a failed call is made again, and after how long.
public struct RetryPolicy: Sendable, Hashable {
    /// How often a call is made at most.
    public var attempts = 5
    /// The pause after the first failure; it doubles with each further one.
    public var base: Duration = .milliseconds(500)
    /// The longest pause.
    public var ceiling: Duration = .seconds(20)
    /// How often a call waits for leave after Zoho has throttled it; such waits are no attempts.
    public var throttles = 8

    /// Five attempts, from half a second on.
    public init() {}

    /// The pause after the `attempt`th failure: between one and two times the base, doubled for each earlier one.
    public func backoff(_ attempt: Int, random: Double) -> Duration {
        min(ceiling, base * (1 << min(attempt - 1, 16)) * (1 + random))
    }
}

/// What went wrong with one call.
enum CallFailure: Hashable, Sendable {
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
        case .unreadable(let status, let reason):
            self = status < 400 || status >= 500 ? .retry(reason) : .giveUp
        case .refused(429, _, _), .refused(_, 44, _), .refused(_, 45, _), .refused(_, 1_070, _), .refused(_, 43, _):
            self = .throttled
        case .refused(401, _, _), .refused(_, 14, _), .refused(_, 57, _): self = .refreshToken
        case .refused(_, 1_000, _): self = .retry("Zoho's internal error")
        case .refused(let status, _, _): self = status >= 500 ? .retry("HTTP \(status)") : .giveUp
        }
    }
}
