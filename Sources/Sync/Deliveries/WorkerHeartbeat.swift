import Mirror
import Synchronization
import ZohoBooks

/// How a worker shows that it is alive: to its own process by a beat, to others by a lease that only it renews.
final class WorkerHeartbeat: Sendable {
    private let mirror: Mirror
    /// The worker's own name: process and number.
    private let worker: String
    /// Host and process, which others know to have ended or not.
    private let process: String
    private let stopwatch: Stopwatch
    private let state = Mutex(State())

    private struct State {
        /// On the heartbeat's own stopwatch.
        var beatAt = Duration.zero
        /// Microseconds since 1970; nil before the first.
        var leasedAt: Int64?
        var isGivenUp = false
        var isStopped = false
        /// Ends each work that may not be left half done.
        var endings: [Int: @Sendable () -> Void] = [:]
        var lastWork = 0
    }

    /// What the leases of workers begin with.
    static let prefix = "worker "
    /// Seconds for which a lease lasts.
    static let seconds = 60

    init(_ mirror: Mirror, worker: String, process: String, clock: any Clock<Duration> = ContinuousClock()) {
        self.mirror = mirror
        self.worker = worker
        self.process = process
        stopwatch = clock.stopwatch()
    }

    /// Shows that the worker is alive; the lease is renewed when a third of it has passed.
    ///
    /// - Throws: `CancellationError` where the worker was given up, so that it does not look alive beside its
    ///   successor.
    func beat() async throws {
        let time = mirror.now()
        let isDue = try state.withLock { state in
            guard !state.isGivenUp else { throw CancellationError() }
            state.beatAt = stopwatch.elapsed()
            guard abs(time - (state.leasedAt ?? 0)) > Int64(Self.seconds) * 1_000_000 / 3 else { return false }
            state.leasedAt = time
            return true
        }
        if isDue { try await mirror.acquireLease(Self.prefix + worker, holder: process, duration: Self.seconds) }
    }

    /// Does what must not be left half done, such as a commit, although the worker is told to stop meanwhile; only
    /// giving the worker up, or the end of the time that a shutdown allows, ends it.
    ///
    /// - Throws: what the body throws; `CancellationError` where one of the two came before.
    func uncancelled<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        let task = Task { try await body() }
        let number = state.withLock { state in
            if state.isGivenUp || state.isStopped { task.cancel() }
            state.lastWork += 1
            state.endings[state.lastWork] = { task.cancel() }
            return state.lastWork
        }
        defer { state.withLock { $0.endings[number] = nil } }
        return try await task.value
    }

    /// Gives the worker up: a statement that it waits for is cancelled, so that what it holds becomes free.
    func giveUp() {
        end { $0.isGivenUp = true }
    }

    /// Ends what the worker does, because the time that a shutdown allows is over.
    func stop() {
        end { $0.isStopped = true }
    }

    /// Whether the worker was told to end what it does, so that what it leaves undone did not fail.
    var isStopped: Bool { state.withLock(\.isStopped) }

    private func end(_ change: (inout State) -> Void) {
        let endings = state.withLock { state in
            change(&state)
            return Array(state.endings.values)
        }
        for end in endings { end() }
    }

    /// Gives the lease back.
    func end() async throws {
        try await ZohoBooks.uncancelled(for: .seconds(2)) { [mirror, worker, process] in
            _ = try await mirror.releaseLease(WorkerHeartbeat.prefix + worker, holder: process)
        }
    }

    /// Waits until the worker has not beaten for this long.
    ///
    /// - Throws: `CancellationError` where the task is cancelled before.
    func silence(of timeout: Duration) async throws {
        while true {
            let end = state.withLock(\.beatAt) + timeout
            if stopwatch.elapsed() >= end { return }
            try await stopwatch.sleep(end)
        }
    }
}
