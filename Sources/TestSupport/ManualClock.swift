import ZohoSimulator

/// A clock that stands still until it is moved.
package final class ManualClock: Clock {
    /// A time since the clock was made.
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

        /// The deadlines of the sleepers that are not due yet.
        var deadlines: [Instant] { sleepers.values.filter { $0 > now } }
    }

    private let state = Monitor(State())

    /// Begins at 0.
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

    /// Waits until a task sleeps, and advances to the earliest deadline; returns by how much.
    @discardableResult
    package func advance() async throws -> Duration {
        try await state.wait { state in
            guard let next = state.deadlines.min() else { return nil }
            defer { state.now = next }
            return state.now.duration(to: next)
        }
    }

    /// Advances, and wakes the sleepers that are due.
    package func advance(by duration: Duration) {
        state.update { $0.now = $0.now.advanced(by: duration) }
    }

    /// Returns when a task sleeps whose deadline has not passed.
    package func untilAsleep() async throws {
        try await state.wait { $0.deadlines.isEmpty ? nil : () }
    }

    /// How often the time was read.
    package var reads: Int { state.update { $0.reads } }

    /// Returns when the time was read more often than this.
    package func untilRead(moreThan reads: Int) async throws {
        try await state.wait { $0.reads > reads ? () : nil }
    }
}
