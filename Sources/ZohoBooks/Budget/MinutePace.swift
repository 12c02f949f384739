/// How much of the pace per minute Zoho's refusals have left.
///
/// Other programs use the organisation's calls too, and nobody tells how many. A refusal with code 44 locks its people
/// out as well, so it must not come every minute: each takes a quarter of the pace away. After ten quiet minutes the
/// pace comes back by a twentieth of the full one every five minutes.
struct MinutePace: Sendable, Hashable, Codable {
    /// Percent of the full pace, when it was lowered last.
    private var percent = 100
    /// In seconds since 1970.
    private var loweredAt: Int?

    private static let least = 10
    private static let quiet = 600
    private static let stepPercent = 5
    private static let stepSeconds = 300

    /// How many of the full pace's calls may be made in a minute: at least one.
    func calls(of full: Int, at second: Int) -> Int { max(1, full * percent(at: second) / 100) }

    private func percent(at second: Int) -> Int {
        guard let loweredAt else { return 100 }
        let sinceQuiet = second - loweredAt - Self.quiet
        return sinceQuiet < 0 ? percent : min(100, percent + Self.stepPercent * (1 + sinceQuiet / Self.stepSeconds))
    }

    /// The pace after a refusal.
    func lowered(at second: Int) -> MinutePace {
        // Calls that were under way together are refused together, and count once.
        if let loweredAt, second - loweredAt < 60 { return self }
        var pace = self
        pace.percent = max(Self.least, percent(at: second) * 3 / 4)
        pace.loweredAt = second
        return pace
    }

    /// Follows a clock that was set back.
    mutating func setBack(by seconds: Int) { loweredAt = loweredAt.map { $0 - seconds } }
}
