public import struct Foundation.Date

/// The calls of one organisation: which were made, which are under way, what Zoho said is left.
///
/// A value without clock or I/O. It is small and Codable, so that all processes on one mirror can share it as one row;
/// see ``CallLedger``.
public struct Budget: Sendable, Hashable, Codable {
    /// Calls of the last minute, by the second in which they ended.
    ///
    /// Only then it is certain that Zoho has counted them no later. Those under way count beside them.
    private var made: [Int: Int] = [:]
    /// The same for calls for single records.
    private var madeForDetails: [Int: Int] = [:]
    private var underWay: [Int: CallUnderWay] = [:]
    private var nextTicket = 0
    private var dailyLimit: Int?
    private var dailyRemaining: Int?
    private var returnsAt: Int?
    private var isExhausted = false
    /// No call before this second.
    private var pausedUntil = 0
    /// No call for a single record before this second.
    private var detailsPausedUntil = 0
    /// Until this second, half the pace for single records.
    private var gentleUntil = 0
    /// Until this second, fewer calls at once than the limits allow.
    private var narrowedUntil = 0
    private var narrowed = 1
    /// The pace that refusals have left; nil before the first, and in rows of earlier versions.
    private var pace: MinutePace?
    /// Until this second, background work leaves room for somebody who was told to wait and comes again; nil where nobody
    /// was, and in rows of earlier versions.
    private var yieldsUntil: Int?
    /// The newest second that a process has told; nil before the first call, and in rows of earlier versions.
    private var latest: Int?

    /// Seconds after which a call that was not handed back no longer counts as under way.
    static let ticketLifetime = 180
    /// Seconds by which the clocks of processes on one mirror may differ.
    static let clockTolerance = 300
    /// Seconds after a wait within which whoever was told to is expected back.
    private static let returnTime = 10
    private static let day = 86_400

    /// Nothing made, nothing known.
    public init() {}

    // MARK: - Asking

    /// Decides whether a call may be made at `now`, and counts it if so.
    ///
    /// - Parameter holder: the process that asks; see ``release(of:)``.
    public mutating func reserve(
        _ kind: CallKind, _ priority: CallPriority, holder: String = "", limits: BudgetLimits, at now: Date
    ) -> CallDecision {
        let second = advance(to: now)
        forget(before: second)
        if let until = exhaustedUntil(priority, limits) {
            return .exhausted(until: Date(timeIntervalSince1970: Double(until)))
        }

        let pause = kind == .detail ? max(pausedUntil, detailsPausedUntil) : pausedUntil
        if pause > second { return .wait(.seconds(pause - second)) }
        let places = second < narrowedUntil ? min(narrowed, limits.inFlight) : limits.inFlight
        if underWay.count >= places { return .busy(underWay: underWay.count) }
        if let wait = windowWait(kind, priority, limits, second) {
            if priority == .interactive {
                yieldsUntil = max(yieldsUntil ?? 0, second + Int(wait.components.seconds) + Self.returnTime)
            }
            return .wait(wait)
        }

        nextTicket += 1
        underWay[nextTicket] = CallUnderWay(
            kind: kind, beganAlone: underWay.isEmpty, holder: holder, lapsesAt: second + Self.ticketLifetime)
        if let left = dailyRemaining { dailyRemaining = max(0, left - 1) }
        return .go(CallTicket(number: nextTicket, kind: kind))
    }

    /// How long until the windows of the minute have room for a call, nil where they have now.
    private func windowWait(
        _ kind: CallKind, _ priority: CallPriority, _ limits: BudgetLimits, _ second: Int
    ) -> Duration? {
        // Or who waits outside would find that those who wait at the door have taken everything.
        let isYielding = priority == .background && second < yieldsUntil ?? 0
        func share(_ pace: Int?) -> Int? { pace.map { isYielding ? max(1, $0 * 4 / 5) : $0 } }
        if let wait = wait(made, underWay.count, share(minutePace(limits, second)), second) { return wait }
        guard kind == .detail else { return nil }
        return wait(madeForDetails, detailsUnderWay, share(detailPace(limits, second)), second)
    }

    private var detailsUnderWay: Int { underWay.values.count { $0.kind == .detail } }

    /// Calls in 60 seconds, as the limits and Zoho's refusals allow them.
    private func minutePace(_ limits: BudgetLimits, _ second: Int) -> Int? {
        limits.callsPerMinute.map { pace?.calls(of: $0, at: second) ?? $0 }
    }

    /// Calls for single records in 60 seconds, likewise.
    private func detailPace(_ limits: BudgetLimits, _ second: Int) -> Int? {
        limits.detailCallsPerMinute.map { second < gentleUntil ? max(1, $0 / 2) : $0 }
    }

    private func exhaustedUntil(_ priority: CallPriority, _ limits: BudgetLimits) -> Int? {
        guard let returnsAt else { return nil }
        if isExhausted { return returnsAt }
        let reserve = priority == .background ? limits.reserve(ofPlan: dailyLimit) : 0
        return dailyRemaining.map { $0 <= reserve } ?? false ? returnsAt : nil
    }

    /// How long until the window has room again, nil where it has now.
    private func wait(_ window: [Int: Int], _ underWay: Int, _ limit: Int?, _ second: Int) -> Duration? {
        guard let limit else { return nil }
        var excess = window.values.reduce(underWay, +) - limit
        guard excess >= 0 else { return nil }
        for (made, count) in window.sorted(by: { $0.key < $1.key }) {
            excess -= count
            if excess < 0 { return .seconds(max(1, made + 61 - second)) }
        }
        return .seconds(1)
    }

    /// Notes when a call ended.
    private mutating func count(_ kind: CallKind, at second: Int, _ limits: BudgetLimits) {
        if limits.callsPerMinute != nil { made[second, default: 0] += 1 }
        if kind == .detail, limits.detailCallsPerMinute != nil { madeForDetails[second, default: 0] += 1 }
    }

    /// A call of the second `s` counts until the second `s + 60` has passed, so that no 60 seconds hold too many.
    private mutating func forget(before second: Int) {
        made = made.filter { $0.key >= second - 60 }
        madeForDetails = madeForDetails.filter { $0.key >= second - 60 }
        underWay = underWay.filter { $0.value.lapsesAt > second }
        if let returnsAt, returnsAt <= second {
            self.returnsAt = nil
            isExhausted = false
            dailyRemaining = nil
        }
    }

    // MARK: - Learning

    /// Takes a call's outcome.
    public mutating func finish(_ ticket: CallTicket, _ outcome: CallOutcome, limits: BudgetLimits, at now: Date) {
        let second = advance(to: now)
        let call = underWay.removeValue(forKey: ticket.number)
        count(ticket.kind, at: second, limits)
        if let limit = outcome.dailyLimit { dailyLimit = limit }
        // An absurd header must neither overflow nor stop the work for longer than a day.
        if let reset = outcome.dailyReset { returnsAt = second + min(max(1, reset), Self.day) }
        if let remaining = outcome.dailyRemaining {
            // What is under way may not be in the figure yet, and answers overtake one another: only that of a call
            // beside which there was no other raises it.
            let left = max(0, remaining - underWay.count)
            let wasAlone = call?.beganAlone == true && nextTicket == ticket.number
            dailyRemaining = wasAlone ? left : min(left, dailyRemaining ?? left)
        }
        let code = ThrottleCode(rawValue: outcome.code)
        guard outcome.status == 429 || code != nil else { return }
        let hint = outcome.retryAfter.map { Int(min($0, .seconds(Self.day)).components.seconds) + 1 } ?? 0
        switch code {
        case .day:
            isExhausted = true
            // Without the header nobody knows when; the next midnight in UTC is a guess that another refusal corrects.
            let known = returnsAt.flatMap { $0 > second ? $0 : nil } ?? (second / Self.day + 1) * Self.day
            returnsAt = hint > 0 ? max(known, second + hint) : known
        case .concurrency:
            narrowed = max(1, min(underWay.count, limits.inFlight) * 3 / 4)
            narrowedUntil = second + 60
            pausedUntil = max(pausedUntil, second + max(1, hint))
        case .details where ticket.kind == .detail:
            gentleUntil = second + 300
            detailsPausedUntil = max(detailsPausedUntil, second + max(60, hint))
        // The soft throttle is undocumented; where it meets a list, details alone are not what it is about.
        case .minute, .details:
            pausedUntil = max(pausedUntil, second + max(60, hint))
            pace = (pace ?? MinutePace()).lowered(at: second)
        case nil:
            // Not Zoho's own refusal; whoever it is knows best.
            pausedUntil = max(pausedUntil, second + (hint > 0 ? hint : 60))
        }
    }

    /// Takes back the calls of processes that have ended without handing their tickets back.
    ///
    /// - Parameter now: when they are taken to have ended at the latest.
    public mutating func release(of isGone: (_ holder: String) -> Bool, limits: BudgetLimits, at now: Date) {
        let second = advance(to: now)
        let gone = Set(underWay.values.map(\.holder)).filter { isGone($0) }
        for (ticket, call) in underWay where gone.contains(call.holder) {
            underWay[ticket] = nil
            count(call.kind, at: second, limits)
        }
    }

    // MARK: - Time

    /// The second that it is for every process: the newest that one of them has told.
    ///
    /// Each process has a clock of its own. One whose clock is behind must not take the others' calls for made in the
    /// future, or the two would let each other begin a minute again and again.
    private func second(of now: Date) -> Int {
        let told = Int(now.timeIntervalSince1970)
        guard let latest, told < latest, latest - told <= Self.clockTolerance else { return told }
        return latest
    }

    private mutating func advance(to now: Date) -> Int {
        let second = second(of: now)
        if let latest, second < latest { setBack(by: latest - second) }
        latest = second
        return second
    }

    /// Moves everything that was counted from a clock that has been set back, or pauses would last until it is there
    /// again.
    ///
    /// The day's end stays: it is Zoho's.
    private mutating func setBack(by seconds: Int) {
        func moved(_ window: [Int: Int]) -> [Int: Int] {
            Dictionary(uniqueKeysWithValues: window.map { ($0.key - seconds, $0.value) })
        }
        made = moved(made)
        madeForDetails = moved(madeForDetails)
        for ticket in underWay.keys { underWay[ticket]?.lapsesAt -= seconds }
        pausedUntil -= seconds
        detailsPausedUntil -= seconds
        gentleUntil -= seconds
        narrowedUntil -= seconds
        yieldsUntil = yieldsUntil.map { $0 - seconds }
        pace?.setBack(by: seconds)
    }

    // MARK: - Showing

    /// What is left.
    public func snapshot(limits: BudgetLimits, at now: Date) -> BudgetSnapshot {
        let second = second(of: now)
        func window(_ limit: Int?, _ made: [Int: Int], _ underWay: Int, pausedUntil: Int) -> CallWindow {
            limit.map {
                CallWindow(
                    limit: $0, made: made.map { ($0.value, second - $0.key) }, underWay: underWay,
                    pause: pausedUntil - second)
            } ?? CallWindow()
        }
        return BudgetSnapshot(
            calls: window(minutePace(limits, second), made, underWay.count, pausedUntil: pausedUntil),
            details: window(
                detailPace(limits, second), madeForDetails, detailsUnderWay,
                pausedUntil: max(pausedUntil, detailsPausedUntil)),
            remainingToday: isExhausted ? 0 : dailyRemaining, dailyLimit: dailyLimit,
            reserve: limits.reserve(ofPlan: dailyLimit),
            returnsAt: returnsAt.map { Date(timeIntervalSince1970: Double($0)) })
    }
}

/// A call that has been made and not answered.
private struct CallUnderWay: Sendable, Hashable, Codable {
    let kind: CallKind
    /// Whether no other call was under way when it was made.
    let beganAlone: Bool
    let holder: String
    /// When the ticket lapses, in seconds since 1970, so that a process that vanished keeps none.
    var lapsesAt: Int
}
