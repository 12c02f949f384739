import Synchronization

@testable import ZohoSimulator

/// A clock that stands still until it is moved to the time that the next sleeper waits for.
final class ManualClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private struct State {
        var now = Instant(offset: .zero)
        var sleepers: [Int: Instant] = [:]
        var last = 0
    }

    private let state = Watched(State())

    var now: Instant { state.update { $0.now } }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
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
    func advance() async throws -> Duration {
        try await state.wait { state in
            guard let next = state.sleepers.values.filter({ $0 > state.now }).min() else { return nil }
            defer { state.now = next }
            return state.now.duration(to: next)
        }
    }
}
