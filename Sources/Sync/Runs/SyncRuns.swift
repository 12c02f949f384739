import Catalog
package import Mirror
import ServiceLifecycle
import ZohoBooks

/// The syncs that this process runs on request: at most one for each entity.
package actor SyncRuns {
    /// Makes a synchroniser that reports its events to the given closure.
    package typealias Make =
        @Sendable (SyncOptions, @escaping @Sendable (SyncEvent) async -> Void) -> Synchroniser

    /// A sync that has begun.
    package struct Started: Sendable {
        /// Its first run; nil where it ended before one could begin.
        package let run: Run?
        /// Its report, also where it cannot continue to its end.
        package let report: Task<SyncReport, any Error>
    }

    private struct Job {
        let entities: Set<String>
        /// The runs that have begun, by entity, and the last of them.
        var runs: [String: Int64] = [:]
        var lastRun: Int64?
        /// Whether it was cancelled or has finished its work, so that another sync need only wait a moment.
        var isEnding = false
        let task: Task<SyncReport, any Error>
    }

    private let mirror: Mirror
    private let make: Make
    private var jobs: [Int: Job] = [:]
    private var lastJob = 0
    /// Whether the program is shutting down, so that nothing is started any more.
    package private(set) var isStopping = false

    /// - Parameter make: makes the synchroniser of each sync.
    package init(_ mirror: Mirror, make: @escaping Make) {
        self.mirror = mirror
        self.make = make
    }

    /// Starts a sync, and returns when its first run has an id.
    ///
    /// - Throws: ``SyncOptionsError``; ``SyncRunsError/running(entity:runID:)`` or ``MirrorError`` where another sync of
    ///   one of its entities runs; whatever else keeps it from beginning.
    package func start(_ options: SyncOptions) async throws -> Started {
        let entities = Set(try options.validated().map(\.entity.name))
        while let job = jobs.values.first(where: { !$0.entities.isDisjoint(with: entities) }) {
            guard job.isEnding else {
                let shared = job.entities.intersection(entities).sorted()
                // An entity whose run has not begun waits for the job's current run.
                let entity = shared.first { job.runs[$0] != nil } ?? shared[0]
                throw SyncRunsError.running(entity: entity, runID: job.runs[entity] ?? job.lastRun)
            }
            _ = await job.task.result
        }
        guard !isStopping else { throw SyncRunsError.stopping }
        lastJob += 1
        let number = lastJob
        let (begun, continuation) = AsyncStream<Run>.makeStream()
        let synchroniser = make(options) { event in
            guard let run = event.run else { return }
            await self.note(run, of: number, isEnding: event.phase == .ended)
            if event.phase == .began { continuation.yield(run) }
        }
        let task = Task {
            defer { continuation.finish() }
            let result: Result<SyncReport, any Error>
            do { result = .success(try await synchroniser.report()) } catch { result = .failure(error) }
            self.end(number)
            return try result.get()
        }
        jobs[number] = Job(entities: entities, task: task)
        for await run in begun { return Started(run: run, report: task) }
        _ = try await task.value.get()
        return Started(run: nil, report: task)
    }

    /// Stops the sync that the run belongs to, with all its entities, at its next commit; does nothing where the run is
    /// another process's.
    package func cancel(_ runID: Int64) {
        for (number, job) in jobs where job.runs.values.contains(runID) { cancel(job, number) }
    }

    /// Starts no further sync, and stops those that run at their next commit.
    package func stop() {
        isStopping = true
        for (number, job) in jobs { cancel(job, number) }
    }

    /// Waits for the program's shutdown, and then until what ran has ended.
    package func run() async throws {
        try? await gracefulShutdown()
        stop()
        for task in jobs.values.map(\.task) { _ = await task.result }
    }

    private func cancel(_ job: Job, _ number: Int) {
        jobs[number]?.isEnding = true
        job.task.cancel()
    }

    private func note(_ run: Run, of number: Int, isEnding: Bool) {
        jobs[number]?.runs[run.entity] = run.id
        jobs[number]?.lastRun = run.id
        if isEnding { jobs[number]?.isEnding = true }
    }

    private func end(_ number: Int) { jobs[number] = nil }
}

/// Why a sync is not started.
package enum SyncRunsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// - Parameter runID: the run that is in the way; nil where it has not begun yet.
    case running(entity: String, runID: Int64?)
    case stopping

    package var description: String {
        switch self {
        case .running(let entity, _): "A sync of \(entity) is already running. Wait until it has ended, or cancel it."
        case .stopping: "The server is stopping. Try again when it is back."
        }
    }
}
