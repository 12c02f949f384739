/// The time since it was started, on any clock.
struct Stopwatch: Sendable {
    /// How long ago it was started.
    let elapsed: @Sendable () -> Duration
    /// Sleeps until it has run for this long.
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
