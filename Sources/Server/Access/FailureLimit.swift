/// Counts each caller's refused tokens within a minute, without a clock of its own.
struct FailureLimit: Sendable, Hashable {
    private struct Window: Sendable, Hashable {
        var beganAt: Int64
        var failures: Int
    }

    /// Failures in a minute after which a caller is refused.
    static let failures = 10
    /// Microseconds.
    private static let window: Int64 = 60_000_000
    /// Callers that are remembered; beyond that, the oldest are forgotten.
    private static let capacity = 10_000

    private var windows: [String: Window] = [:]

    /// Seconds until requests of the caller are checked again; nil where they are now.
    func pause(for caller: String, at now: Int64) -> Int? {
        guard let window = windows[caller], window.failures >= Self.failures, now < window.beganAt + Self.window else {
            return nil
        }
        return Int((window.beganAt + Self.window - now) / 1_000_000) + 1
    }

    /// Counts a failure.
    mutating func fail(_ caller: String, at now: Int64) {
        if windows.count >= Self.capacity { windows = windows.filter { now < $0.value.beganAt + Self.window } }
        if windows.count >= Self.capacity, let oldest = windows.min(by: { $0.value.beganAt < $1.value.beganAt }) {
            windows[oldest.key] = nil
        }
        if let window = windows[caller], now < window.beganAt + Self.window {
            windows[caller]?.failures += 1
        } else {
            windows[caller] = Window(beganAt: now, failures: 1)
        }
    }
}
