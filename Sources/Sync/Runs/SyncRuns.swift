import Catalog
package import Mirror
import ServiceLifecycle
import ZohoBooks

/// The syncs that this process runs on request: at most one for each entity.
package actor SyncRuns {
    /// Makes what synchronises, with the events that it tells.
    package typealias Make =
        @Sendable (SyncOptions, @escaping @Sendable (SyncEvent) async -> Void) -> Synchroniser

    /// A sync that has begun.
    package struct Started: Sendable {
        /// Its first run; nil where it ended before one could begin.
        package let run: Run?
        /// What becomes of it.
        package let report: Task<SyncReport, any Error>
    }

    private struct Job {
        let entities: Set<String>
        var runs: Set<Int64> = []
        /// Whether it was cancelled or has done its work, so that another one need only wait a moment.
        var isEnding = false
        let task: Task<SyncReport, any Error>
    }

    private let mirror: Mirror
    private let make: Make
    private var jobs: [Int: Job] = [:]
    private var lastJob = 0
    private var isStopping = false

    package init(_ mirror: Mirror, make: @escaping Make) {
        self.mirror = mirror
        self.make = make
    }

    /// Begins a sync, and comes back when its first run has an id.
    ///
    /// - Throws: ``SyncOptionsError``; ``SyncRunsError/running(entity:)`` or ``MirrorError`` where another sync of one of
    ///   its entities runs; whatever else keeps it from beginning.
    package func start(_ options: SyncOptions) async throws -> Started {
        let entities = Set(try options.validated().map(\.entity.name))
        guard !isStopping else { throw SyncRunsError.stopping }
        while let job = jobs.values.first(where: { !$0.entities.isDisjoint(with: entities) }) {
            guard job.isEnding else {
                throw SyncRunsError.running(entity: job.entities.intersection(entities).sorted()[0])
            }
            _ = await job.task.result
        }
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
            do { result = .success(try await synchroniser.run()) } catch { result = .failure(error) }
            self.end(number)
            return try result.get()
        }
        jobs[number] = Job(entities: entities, task: task)
        for await run in begun { return Started(run: run, report: task) }
        _ = try await task.value
        return Started(run: nil, report: task)
    }

    /// Stops the sync that the run belongs to, at its next commit.
    ///
    /// - Returns: false where it is none of this process.
    package func cancel(_ runID: Int64) -> Bool {
        guard let (number, job) = jobs.first(where: { $0.value.runs.contains(runID) }) else { return false }
        jobs[number]?.isEnding = true
        job.task.cancel()
        return true
    }

    /// Waits for the program's shutdown and then stops what runs.
    package func run() async throws {
        try? await gracefulShutdown()
        isStopping = true
        let tasks = jobs.values.map(\.task)
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.result }
    }

    private func note(_ run: Run, of number: Int, isEnding: Bool) {
        jobs[number]?.runs.insert(run.id)
        if isEnding { jobs[number]?.isEnding = true }
    }

    private func end(_ number: Int) { jobs[number] = nil }
}

/// Why a sync is not begun.
package enum SyncRunsError: Error, Sendable, Hashable, CustomStringConvertible {
    case running(entity: String)
    case stopping

    package var description: String {
        switch self {
        case .running(let entity): "A sync of \(entity) is already running. Wait until it has ended, or cancel it."
        case .stopping: "The server is stopping. Try again when it is back."
        }
    }
}
