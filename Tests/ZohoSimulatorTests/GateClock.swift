import Synchronization

/// A clock on which everybody sleeps until it is opened.
final class GateClock: Clock {
    typealias Instant = ContinuousClock.Instant

    private struct State {
        var isOpen = false
        var sleepers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var now: Instant { ContinuousClock.now }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        await withCheckedContinuation { sleeper in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.sleepers.append(sleeper) }
                return state.isOpen
            }
            if isOpen { sleeper.resume() }
        }
    }

    func open() {
        let sleepers = state.withLock { state in
            state.isOpen = true
            defer { state.sleepers = [] }
            return state.sleepers
        }
        for sleeper in sleepers { sleeper.resume() }
    }
}
