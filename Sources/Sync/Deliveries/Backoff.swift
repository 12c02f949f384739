/// How long an attempt that failed waits for the next one.
struct Backoff: Sendable, Hashable {
    /// Attempts after which a delivery becomes a dead letter.
    static let attempts = 5

    /// Microseconds until the next attempt: 10 s, then four times as long each time, and up to half as much again, so
    /// that what failed together does not come back together.
    ///
    /// - Parameters:
    ///   - attempt: how many were made, from 1.
    ///   - random: in 0..<1.
    static func pause(after attempt: Int, random: Double) -> Int64 {
        let exponent = max(0, min(attempt - 1, attempts))
        let seconds = (0..<exponent).reduce(10.0) { pause, _ in pause * 4 }
        return Int64(seconds * (1 + random / 2) * 1_000_000)
    }

    /// Microseconds to wait for what concerns everything: a database or Zoho that cannot be reached.
    static func outage(random: Double) -> Int64 { Int64((30 + 30 * random) * 1_000_000) }
}
