public import struct Foundation.Date

/// What an answer said about the budget.
public struct CallOutcome: Sendable, Hashable {
    /// The HTTP status; 0 where there was no answer.
    public var status: Int
    /// Zoho's code; 0 for success.
    public var code: Int
    /// `x-rate-limit-limit`: the day's calls of the plan.
    public var dailyLimit: Int?
    /// `x-rate-limit-remaining`: what is left of them.
    public var dailyRemaining: Int?
    /// `x-rate-limit-reset`: seconds until they return (section 2.3).
    public var dailyReset: Int?
    /// `Retry-After`, where one was sent.
    public var retryAfter: Duration?

    /// An outcome without headers.
    public init(status: Int, code: Int) {
        self.status = status
        self.code = code
    }
}

/// What is left of the budget, for people.
public struct BudgetSnapshot: Sendable, Hashable {
    /// When the minute's calls can be made, those for single records included.
    public let calls: CallWindow
    /// When the minute's calls for single records can be made, as far as they have a limit of their own.
    public let details: CallWindow
    /// Calls left today, as Zoho last said; nil where it has not.
    public let remainingToday: Int?
    /// The day's calls of the plan, as Zoho last said.
    public let dailyLimit: Int?
    /// Calls of the day that background work leaves alone.
    public let reserve: Int
    /// When the day's calls return.
    public let returnsAt: Date?

    /// Calls left in this minute; nil without a limit.
    public var remainingThisMinute: Int? { calls.left }
}
