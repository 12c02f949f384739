import ZohoSimulator

/// A clock that stands still until it is moved.
package final class ManualClock: Clock {
    package struct Instant: InstantProtocol {
        var offset: Duration
        package func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        package func duration(to other: Instant) -> Duration { other.offset - offset }
        package static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private struct State: Sendable {
        var now = Instant(offset: .zero)
        var sleepers: [Int: Instant] = [:]
        var last = 0
        var reads = 0

        /// When those wake who do not wake by themselves.
        var deadlines: [Instant] { sleepers.values.filter { $0 > now } }
    }

    private let state = Monitor(State())

    package init() {}

    package var now: Instant {
        state.update { state in
            state.reads += 1
            return state.now
        }
    }

    package var minimumResolution: Duration { .zero }

    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let number = state.update { state in
            state.last += 1
            state.sleepers[state.last] = deadline
            return state.last
        }
        defer { state.update { $0.sleepers[number] = nil } }
        try await state.wait { $0.now >= deadline ? () : nil }
    }

    /// Waits until somebody sleeps, and moves to where the first of them wakes; returns how long that took.
    @discardableResult
    package func advance() async throws -> Duration {
        try await state.wait { state in
            guard let next = state.deadlines.min() else { return nil }
            defer { state.now = next }
            return state.now.duration(to: next)
        }
    }

    /// Moves on, and wakes whom it is time for.
    package func advance(by duration: Duration) {
        state.update { $0.now = $0.now.advanced(by: duration) }
    }

    /// Comes back when somebody sleeps whom it is not time for.
    package func untilAsleep() async throws {
        try await state.wait { $0.deadlines.isEmpty ? nil : () }
    }

    /// How often somebody has asked for the time.
    package var reads: Int { state.update { $0.reads } }

    /// Comes back when somebody has asked for the time more often than so.
    package func untilRead(moreThan reads: Int) async throws {
        try await state.wait { $0.reads > reads ? () : nil }
    }
}
