import Synchronization

/// A clock on which everybody sleeps until it is opened.
package final class GateClock: Clock {
    package typealias Instant = ContinuousClock.Instant

    private struct State {
        var isOpen: Bool
        var sleepers: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    package init(isOpen: Bool = false) {
        state = Mutex(State(isOpen: isOpen))
    }

    package var now: Instant { ContinuousClock.now }
    package var minimumResolution: Duration { .zero }
    /// How many sleep now.
    package var sleepers: Int { state.withLock { $0.sleepers.count } }

    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        await withCheckedContinuation { sleeper in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.sleepers.append(sleeper) }
                return state.isOpen
            }
            if isOpen { sleeper.resume() }
        }
    }

    /// Wakes everybody, and lets nobody sleep from now on.
    package func open() {
        let sleepers = state.withLock { state in
            state.isOpen = true
            defer { state.sleepers = [] }
            return state.sleepers
        }
        for sleeper in sleepers { sleeper.resume() }
    }

    /// Lets whoever comes sleep again.
    package func close() { state.withLock { $0.isOpen = false } }
}
