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
        if let busy = jobs.values.lazy.flatMap(\.entities).first(where: { entities.contains($0) }) {
            throw SyncRunsError.running(entity: busy)
        }
        lastJob += 1
        let number = lastJob
        let (begun, continuation) = AsyncStream<Run>.makeStream()
        let synchroniser = make(options) { event in
            guard event.phase == .began, let run = event.run else { return }
            await self.note(run, of: number)
            continuation.yield(run)
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
        guard let job = jobs.values.first(where: { $0.runs.contains(runID) }) else { return false }
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

    private func note(_ run: Run, of number: Int) { jobs[number]?.runs.insert(run.id) }

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
