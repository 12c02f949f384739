import ZohoSimulator

/// A clock on which every task sleeps until it is opened.
package final class GateClock: Clock {
    package typealias Instant = ContinuousClock.Instant

    private struct State: Sendable {
        var isOpen: Bool
        var passes: Int
        var sleepers = 0

        /// Whether a sleeper is let through, for which a pass is used up while the gate is closed.
        mutating func letsPass() -> Bool {
            if isOpen { return true }
            guard passes > 0 else { return false }
            passes -= 1
            return true
        }
    }

    private let state: Monitor<State>

    /// - Parameter passes: how many sleeps are let through before it is opened.
    package init(isOpen: Bool = false, passes: Int = 0) {
        state = Monitor(State(isOpen: isOpen, passes: passes))
    }

    package var now: Instant { ContinuousClock.now }
    package var minimumResolution: Duration { .zero }

    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let isLetThrough = state.update { state in
            let isLetThrough = state.letsPass()
            if !isLetThrough { state.sleepers += 1 }
            return isLetThrough
        }
        if isLetThrough { return }
        defer { state.update { $0.sleepers -= 1 } }
        try await state.wait { $0.letsPass() ? () : nil }
    }

    /// Returns when a task sleeps.
    package func untilAsleep() async throws {
        try await state.wait { $0.sleepers > 0 ? () : nil }
    }

    /// Wakes all sleepers, and lets every sleep through from now on.
    package func open() { state.update { $0.isOpen = true } }

    /// Makes tasks sleep again from now on.
    package func close() { state.update { $0.isOpen = false } }
}
