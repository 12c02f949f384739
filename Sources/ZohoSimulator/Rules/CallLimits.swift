/// Zoho's rate limits (section 2), decided from the times of the calls that were let through.
///
/// The minute is a sliding window of 60 seconds. The day is the organisation's calendar day. Refused calls count for
/// neither, so that a client which keeps asking is let in as soon as its window has room.
struct CallLimits: Sendable {
    enum Refusal: Sendable, Equatable {
        case minute
        case concurrency
        case day
        case details
    }

    let rules: SimulatorConfiguration.Limits
    let calendar: OrganizationCalendar
    private var minute: Window
    private var details: Window
    private(set) var today = 0
    private var dayNumber = 0
    private var latest = 0.0
    private(set) var inFlight = 0
    /// The most calls that were ever in flight at once.
    private(set) var largestInFlight = 0

    init(rules: SimulatorConfiguration.Limits, calendar: OrganizationCalendar) {
        self.rules = rules
        self.calendar = calendar
        minute = Window(limit: rules.callsPerMinute)
        details = Window(limit: rules.detailCallsPerMinute)
    }

    /// Lets a call in, or says which limit refuses it; a call that was let in must ``leave()``.
    mutating func enter(isDetail: Bool, now: Double) -> Refusal? {
        // Calls that looked at the clock before it was moved may come in after those that looked later.
        let now = max(now, latest)
        latest = now
        startDay(now)
        if let limit = rules.callsPerDay, today >= limit { return .day }
        if let limit = rules.inFlight, inFlight >= limit { return .concurrency }
        if minute.isFull(now) { return .minute }
        if isDetail, details.isFull(now) { return .details }
        minute.add(now)
        if isDetail { details.add(now) }
        today += 1
        inFlight += 1
        largestInFlight = max(largestInFlight, inFlight)
        return nil
    }

    mutating func leave() { inFlight -= 1 }

    /// The day's cap, what is left of it, and the seconds to its end, as the headers tell them (section 2.3); nil
    /// without a cap.
    mutating func quota(now: Double) -> (limit: Int, remaining: Int, reset: Int)? {
        startDay(now)
        guard let limit = rules.callsPerDay else { return nil }
        return (limit, max(0, limit - today), calendar.secondsToMidnight(from: Int(now.rounded(.down))))
    }

    private mutating func startDay(_ now: Double) {
        let number = calendar.dayNumber(of: Int(now.rounded(.down)))
        guard number != dayNumber else { return }
        dayNumber = number
        today = 0
    }

    /// At most `limit` events in any 60 seconds.
    private struct Window: Sendable {
        let limit: Int?
        private var times: [Double] = []
        private var oldest = 0

        init(limit: Int?) { self.limit = limit }

        mutating func isFull(_ now: Double) -> Bool {
            guard let limit else { return false }
            while oldest < times.count, times[oldest] <= now - 60 { oldest += 1 }
            if oldest > 1_024, oldest * 2 > times.count {
                times.removeFirst(oldest)
                oldest = 0
            }
            return times.count - oldest >= limit
        }

        mutating func add(_ now: Double) { if limit != nil { times.append(now) } }
    }
}
