import Mirror
import Synchronization
import ZohoBooks

/// Tells how a list or the details of an entity go: after each commit, and when the minute's limits make them wait.
final class PhaseProgress: Sendable {
    /// How far a phase has come.
    struct Mark: Sendable {
        /// Runs of the entities that it concerns, as far as the last commit.
        var runs: [Run]
        /// Records listed or details read.
        var done = 0
        /// How many of them an earlier sync had listed.
        var doneBefore = 0
        /// How many there will be; nil where that is not known.
        var expected: Int?
        /// Records that one call brings.
        var recordsPerCall = 1
        /// What the phase itself has taken, without the turns of others.
        var working = Duration.zero

        /// Calls that are left to make; none where nobody knows how many.
        var callsToCome: Int { Self.calls(for: (expected ?? done) - done, by: recordsPerCall) }

        /// How many calls bring so many records.
        static func calls(for records: Int, by recordsPerCall: Int) -> Int {
            (max(0, records) + recordsPerCall - 1) / max(1, recordsPerCall)
        }
    }

    fileprivate struct State {
        var mark = Mark(runs: [])
        var ahead = CallsToCome()
        /// When the first mark was made, on the stopwatch; nil before.
        var beganAt: Duration?
        /// The wait that was told last.
        var wait: (since: Duration, duration: Duration)?
        /// How long those before it took.
        var waited = Duration.zero
    }

    private let phase: SyncEvent.Phase
    private let kind: CallKind
    private let budget: CachedBudget
    private let onEvent: @Sendable (SyncEvent) async -> Void
    private let stopwatch: Stopwatch
    private let state = Mutex(State())

    /// Shorter waits are not worth a line.
    private static let shortest: Duration = .seconds(5)

    /// - Parameters:
    ///   - kind: what the minute's limits count the phase's calls as.
    ///   - onEvent: what is told.
    init(
        _ phase: SyncEvent.Phase, _ kind: CallKind, client: ZohoBooksClient,
        clock: any Clock<Duration> = ContinuousClock(), onEvent: @escaping @Sendable (SyncEvent) async -> Void
    ) {
        self.phase = phase
        self.kind = kind
        budget = CachedBudget(client)
        self.onEvent = onEvent
        stopwatch = clock.stopwatch()
    }

    /// Remembers how far the phase has come, for whenever something is told next.
    func note(_ mark: Mark) {
        let time = stopwatch.elapsed()
        state.withLock { state in
            state.mark = mark
            state.beganAt = state.beganAt ?? time
        }
    }

    /// Remembers which calls of others come before the phase's last one.
    func note(ahead: CallsToCome) { state.withLock { $0.ahead = ahead } }

    /// Tells how far the phase has come.
    func tell() async {
        let time = stopwatch.elapsed()
        let budget = await budget.budget(at: time)
        let (mark, events) = state.withLock { ($0.mark, $0.event(at: time, phase, kind, budget)) }
        for run in mark.runs { await onEvent(events(run)) }
    }

    /// Tells that a call waits for the minute's limits; those that wait beside it are not told of.
    func waits(_ duration: Duration) async {
        let time = stopwatch.elapsed()
        let isNew = state.withLock { state in
            guard duration >= Self.shortest else { return false }
            if let wait = state.wait {
                guard time >= wait.since + wait.duration else { return false }
                state.waited += wait.duration
            }
            state.wait = (time, duration)
            return true
        }
        if isNew { await tell() }
    }
}

extension PhaseProgress.State {
    /// Makes the event of one of the mark's runs.
    fileprivate func event(
        at time: Duration, _ phase: SyncEvent.Phase, _ kind: CallKind, _ budget: BudgetSnapshot?
    ) -> @Sendable (Run) -> SyncEvent {
        let waiting = wait.map { min($0.duration, time - $0.since) } ?? .zero
        let left = wait.map { $0.since + $0.duration - time } ?? .zero
        let made = PhaseProgress.Mark.calls(for: mark.done - mark.doneBefore, by: mark.recordsPerCall)
        let working = max(.zero, mark.working - waited - waiting)
        var calls = ahead
        calls.add(mark.callsToCome, kind)
        let toGo =
            mark.callsToCome > 0
            ? calls.time(own: mark.callsToCome, budget, perCall: made > 0 ? working / made : nil) : nil
        let leftThisMinute = budget.map {
            kind == .detail ? [$0.calls.left, $0.details.left].compactMap(\.self).min() : $0.calls.left
        }
        return { [mark, elapsed = time - (beganAt ?? time)] run in
            SyncEvent(
                entity: run.entity, phase: phase, done: mark.done, doneBefore: mark.doneBefore,
                expected: mark.expected, elapsed: elapsed, waits: left > .zero && !Task.isCancelled ? left : nil,
                timeToGo: toGo,
                progress: run.progress, callsLeftThisMinute: leftThisMinute ?? nil,
                callsLeftToday: budget?.remainingToday, run: nil)
        }
    }
}

/// Calls that are to be made, by what the minute's limits count them as.
struct CallsToCome: Sendable, Hashable {
    /// All of them.
    private(set) var total = 0
    /// Those for single records.
    private(set) var details = 0

    /// Adds calls of one kind.
    mutating func add(_ count: Int, _ kind: CallKind) {
        total += count
        if kind == .detail { details += count }
    }

    /// What others who take turns with a piece of work do before it ends: each as much as it does, or all that they
    /// have.
    ///
    /// - Parameters:
    ///   - calls: of the piece of work itself.
    ///   - others: the calls of each of the others.
    static func before(_ calls: Int, of others: [(count: Int, kind: CallKind)]) -> CallsToCome {
        var ahead = CallsToCome()
        for other in others { ahead.add(min(calls, other.count), other.kind) }
        return ahead
    }

    /// How long the calls take: as long as the minute's limits make them wait, or as they take themselves.
    ///
    /// - Parameters:
    ///   - own: those of them for which somebody waits.
    ///   - perCall: what one has taken so far without waiting; nil before the first.
    /// - Returns: nil where that cannot be told, or the day's calls end before.
    func time(own: Int, _ budget: BudgetSnapshot?, perCall: Duration?) -> Duration? {
        guard let budget else { return nil }
        if let today = budget.remainingToday, today - budget.reserve < own { return nil }
        let limited = max(budget.calls.seconds(until: total), budget.details.seconds(until: details))
        let taken = perCall.map { $0 * total } ?? .zero
        let time = max(.seconds(limited), taken)
        return time > .zero ? time : nil
    }
}
