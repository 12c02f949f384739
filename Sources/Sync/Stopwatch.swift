/// The time since it was made, on whichever clock.
struct Stopwatch: Sendable {
    /// How long ago it was made.
    let elapsed: @Sendable () -> Duration
    /// Sleeps until it was made so long ago.
    let sleep: @Sendable (_ until: Duration) async throws -> Void
}

extension Clock<Duration> {
    /// A stopwatch that begins now.
    func stopwatch() -> Stopwatch {
        let start = now
        return Stopwatch(
            elapsed: { start.duration(to: now) },
            sleep: { try await sleep(until: start.advanced(by: $0), tolerance: nil) })
    }
}
