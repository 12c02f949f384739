public import struct Foundation.Date

/// How many calls are allowed, as far as it is ours to say.
///
/// Nil switches a limit off.
public struct BudgetLimits: Sendable, Hashable, Codable {
    /// Calls in any 60 seconds; Zoho allows an organisation 100 (reference, section 2.1).
    public var callsPerMinute: Int? = 100
    /// Calls for single records in any 60 seconds; Zoho throttles long series above about 54 (section 2.2, code 43).
    public var detailCallsPerMinute: Int? = 50
    /// Calls at once; Zoho allows 5 on the free plan and 10 on paid ones.
    public var inFlight = 10
    /// Calls of the day that background work leaves for interactive use.
    ///
    /// At most a tenth of the plan; see ``reserve(ofPlan:)``.
    public var reserve = 50

    /// Zoho's documented limits.
    public init() {}

    /// Calls of the day that background work leaves for interactive use: at most a tenth of the plan.
    ///
    /// - Parameter plan: calls that the plan allows a day; nil where nobody has said.
    public func reserve(ofPlan plan: Int?) -> Int { min(reserve, (plan ?? .max) / 10) }
}

/// Who is waiting for a call.
public enum CallPriority: String, Sendable, Hashable, Codable {
    /// A person or a webhook; may use the reserve.
    case interactive
    /// A sync; leaves the reserve alone.
    case background
}

/// What a call is for, as far as its cost goes.
public enum CallKind: String, Sendable, Hashable, Codable {
    /// A page of a list, or many records at once.
    case list
    /// A single record.
    case detail
}

/// Leave to make one call; handed back with its outcome.
public struct CallTicket: Sendable, Hashable, Codable {
    let number: Int
    let kind: CallKind
}

/// Whether a call may be made now.
public enum CallDecision: Sendable, Hashable {
    /// Make it, and hand the ticket back.
    case go(CallTicket)
    /// Ask again after this time.
    case wait(Duration)
    /// As many calls are under way as may be; ask again when one of them has ended.
    case busy(underWay: Int)
    /// Not before then.
    case exhausted(until: Date)
}
