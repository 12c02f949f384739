import Synchronization

/// What the traffic has done since the start.
package struct TrafficStatistics: Sendable, Equatable {
    /// The requested changes a second; 0 while it is stopped.
    package internal(set) var perSecond = 0.0
    /// Records edited, including changes of stock.
    package internal(set) var edited = 0
    /// Records created.
    package internal(set) var created = 0
    /// Records deleted.
    package internal(set) var deleted = 0

    /// All changes.
    package var changes: Int { edited + created + deleted }
}

/// The requested rate of the traffic, and its counts.
final class Traffic: Sendable {
    struct State: Sendable {
        var statistics = TrafficStatistics()
        /// Rises when the rate is set, so that the pace starts anew.
        var generation = 0
        /// The number of the newest change.
        var ordinal = 0
        var isMakingChange = false

        var isIdle: Bool { statistics.perSecond == 0 && !isMakingChange }

        /// Whether a change may be made at the rate that was set as the `generation`th.
        mutating func begin(_ generation: Int) -> Bool {
            isMakingChange = generation == self.generation
            return isMakingChange
        }
    }

    let plan: TrafficPlan
    let clock: any Clock<Duration>
    let state: Monitor<State>

    init(_ configuration: SimulatorConfiguration) {
        plan = TrafficPlan(configuration)
        clock = configuration.clock
        var state = State()
        state.statistics.perSecond = configuration.trafficPerSecond
        self.state = Monitor(state)
    }
}

extension SimulatorControl {
    /// What the traffic has done so far.
    package var trafficStatistics: TrafficStatistics { traffic.state.update { $0.statistics } }

    /// Starts traffic, or changes its rate: seeded edits of items, contacts and documents, some creations and deletions.
    ///
    /// - Parameter perSecond: changes a second; 0 stops it. Fewer are made while the webhooks' queue is full.
    package func startTraffic(perSecond: Double) {
        traffic.state.update { state in
            state.statistics.perSecond = max(0, perSecond)
            state.generation += 1
        }
    }

    /// Stops traffic; a change that is being made is finished first, which ``settle()`` waits for.
    package func stopTraffic() { startTraffic(perSecond: 0) }

    /// Makes traffic at the requested rate, until cancelled.
    func runTraffic() async throws {
        while true {
            let (rate, generation) = try await traffic.state.wait { state in
                state.statistics.perSecond > 0 ? (state.statistics.perSecond, state.generation) : nil
            }
            try await makeTraffic(TrafficPace(perSecond: rate), generation, on: traffic.clock)
        }
    }

    /// Makes changes at one rate until another is requested.
    private func makeTraffic<C: Clock<Duration>>(_ pace: TrafficPace, _ generation: Int, on clock: C) async throws {
        var start = clock.now
        var made = 0
        while true {
            for _ in 0..<pace.batch {
                try await sender.waitForRoom()
                guard traffic.state.update({ $0.begin(generation) }) else { return }
                makeChange()
                traffic.state.update { $0.isMakingChange = false }
            }
            made += pace.batch
            let due = start.advanced(by: pace.due(after: made))
            let lag = due.duration(to: clock.now)
            // What a full queue has held up is not made up for in a burst.
            if lag > .seconds(1) { start = start.advanced(by: lag) }
            while clock.now < due {
                try await clock.sleep(until: min(due, clock.now.advanced(by: .seconds(1))), tolerance: nil)
                guard traffic.state.update({ $0.generation == generation }) else { return }
            }
        }
    }

    /// Makes the next change of the traffic.
    func makeChange() {
        let ordinal = traffic.state.update { state in
            state.ordinal += 1
            return state.ordinal
        }
        let next = traffic.plan.change(ordinal) { module in books.withLock { $0.end(module) } }
        guard let next else { return }
        guard let id = existing(next.module, from: next.candidate), next.change != .create else {
            create(next.module)
            traffic.state.update { $0.statistics.created += 1 }
            return
        }
        do throws(SimulatorControlError) {
            switch next.change {
            case .create: return
            case .delete: try delete(next.module, id: id)
            case .stock(let quantity): try setStock(id: id, to: quantity)
            case .edit(let changes): try edit(next.module, id: id, changes)
            }
        } catch {
            // The record was deleted at the same moment.
            return
        }
        traffic.state.update { state in
            if next.change == .delete { state.statistics.deleted += 1 } else { state.statistics.edited += 1 }
        }
    }

    /// The id of the first record that exists from an index on, or from the first one on.
    private func existing(_ module: SimulatorModule, from index: Int) -> String? {
        let found = books.withLock { books in
            (index..<max(index, books.end(module))).first { books.exists(module, $0) }
                ?? (0..<index).first { books.exists(module, $0) }
        }
        return found.map { id(module, at: $0) }
    }
}
