import Catalog
import Database
import Foundation
import HTTPTypes
import Hummingbird
import Mirror
import ServiceLifecycle
import Sync
import ZohoBooks

/// Starts and stops syncs, and shows runs and status.
struct BulkSyncAPI: Sendable {
    let mirror: Mirror
    let runs: SyncRuns
    let budget: @Sendable () async throws -> BudgetSnapshot
    let bodies: BodyReader
    let streams: StreamLimit
    /// How often a stream without events sends a comment, so that it does not look dead.
    let keepAlive: Duration

    // MARK: - Starting and stopping

    func start(_ request: Request, _ context: ServerContext) async throws -> Response {
        let name = (context.parameters.get("entity") ?? "").replacing("-", with: "_")
        guard name == "sync_all" || Catalog.entity(named: name) != nil else {
            let names = Catalog.entities.map(\.entity.name).joined(separator: ", ")
            throw Problem(.notFound, "There is no entity \(name). Choose from \(names), sync-all.")
        }
        let body = try await bodies.body(of: request, context, upTo: 64 << 10)
        let options = try BulkSyncRequest(body, entities: name == "sync_all" ? [] : [name]).options
        let beganAt = mirror.now()
        let started: SyncRuns.Started
        do {
            started = try await runs.start(options)
        } catch let error as SyncRunsError {
            guard case .running(let entity, let runID) = error else { throw error }
            var run: Run?
            if let runID { run = try await mirror.run(runID) } else { run = try await mirror.runningRun(of: entity) }
            throw conflict(error.description, run)
        } catch let error as MirrorError {
            guard case .leased(let lease, _, _) = error, let entity = Lease.entity(of: lease) else { throw error }
            throw conflict(error.description, try await mirror.runningRun(of: entity))
        }
        if let seconds = WaitPreference.seconds(in: request.headers[.prefer]),
            let result = try await end(of: started, within: .seconds(seconds))
        {
            let document = SyncResultDocument(result, startedAt: beganAt, endedAt: mirror.now())
            var response = Response.json(.ok, document)
            response.headers[.preferenceApplied] = "wait=\(seconds)"
            if let run = started.run { response.headers[.location] = Self.location(of: run) }
            return response
        }
        guard let run = started.run else {
            // Over before a run could begin, as at the end of the day's quota.
            return .json(
                .ok, SyncResultDocument(await started.report.result, startedAt: beganAt, endedAt: mirror.now()))
        }
        var response = Response.json(.accepted, StartedDocument(run: RunDocument(run), entities: options.entityNames))
        response.headers[.location] = Self.location(of: run)
        return response
    }

    /// The result of a sync, or nil where it is still running after `duration` or when the server stops.
    private func end(
        of sync: SyncRuns.Started, within duration: Duration
    ) async throws -> Result<SyncReport, any Error>? {
        guard let result = try await sync.report.result(within: duration) else { return nil }
        // A sync that only the shutdown has stopped has not failed: the next one continues it.
        if (try? result.get().get()) == nil, await runs.isStopping { return nil }
        return result
    }

    private func conflict(_ detail: String, _ run: Run?) -> Problem {
        var problem = Problem(.conflict, detail)
        problem.run = run.map { RunDocument($0) }
        problem.headers[.location] = run.map { Self.location(of: $0) }
        return problem
    }

    private static func location(of run: Run) -> String { "/api/zoho/bulk-sync/runs/\(run.id)" }

    func cancel(_ request: Request, _ context: ServerContext) async throws -> Response {
        let run = try await run(context)
        guard run.state == .running, try await mirror.requestCancellation(of: run.id) else {
            let state = try await mirror.run(run.id)?.state ?? run.state
            throw Problem(.conflict, "Run \(run.id) has already ended: \(state.rawValue).")
        }
        // A run of this process need not wait for the notification.
        await runs.cancel(run.id)
        return .json(.accepted, RunDocument(run))
    }

    // MARK: - Looking

    func run(_ request: Request, _ context: ServerContext) async throws -> Response {
        .json(.ok, RunDocument(try await run(context)))
    }

    private func run(_ context: ServerContext) async throws -> Run {
        guard let id = context.parameters.get("id").flatMap(Int64.init), let run = try await mirror.run(id) else {
            throw Problem(.notFound, "There is no run \(context.parameters.get("id") ?? "").")
        }
        return run
    }

    func list(_ request: Request, _ context: ServerContext) async throws -> Response {
        var query = QueryReader(request, known: ["entity", "state", "limit", "before"])
        let entity = query.entity()
        let limit = query.number("limit", in: 1...1_000) ?? 20
        let before = query.number("before", in: 1...Int.max).map(Int64.init)
        var state: Run.State?
        if let text = query["state"] {
            state = Run.State(rawValue: text)
            if state == nil {
                query.refuse("state", "must be one of \(Run.State.allCases.map(\.rawValue).joined(separator: ", "))")
            }
        }
        try query.finish()
        let runs = try await mirror.runs(entity: entity, state: state, before: before, limit: limit)
        return .json(.ok, RunsDocument(runs: runs.map { RunDocument($0) }))
    }

    func status(_ request: Request, _ context: ServerContext) async throws -> Response {
        .json(.ok, try await StatusDocument(of: mirror, budget: try await budget()))
    }

    /// How often a followed run is read again.
    private static let pace = Duration.milliseconds(500)

    /// Streams a run's progress until its end, whichever process executes it.
    func events(_ request: Request, _ context: ServerContext) async throws -> Response {
        let first = try await run(context)
        return .events(in: try streams.take()) { [mirror, keepAlive] stream in
            var last = first
            var silence = Duration.zero
            try await stream.send("progress", data: RunDocument(first).json)
            while last.state == .running {
                guard try await stream.pause(for: Self.pace) else { return }
                guard let run = try await mirror.run(first.id) else { break }
                silence += Self.pace
                if run != last {
                    try await stream.send("progress", data: RunDocument(run).json)
                    silence = .zero
                } else if silence >= keepAlive {
                    try await stream.keepAlive()
                    silence = .zero
                }
                last = run
            }
            try await stream.send("end", data: RunDocument(last).json)
        }
    }
}

extension Task where Success: Sendable, Failure == any Error {
    /// The task's result, or nil where it takes longer or the program shuts down; then the task keeps running.
    fileprivate func result(within duration: Duration) async throws -> Result<Success, any Error>? {
        try await withThrowingTaskGroup(of: Result<Success, any Error>?.self) { group in
            let (ends, continuation) = AsyncStream<Result<Success, any Error>>.makeStream()
            // Waiting for a task's value cannot be cancelled, so another task does it.
            Task<Void, Never> {
                continuation.yield(await self.result)
                continuation.finish()
            }
            group.addTask {
                for await end in ends { return end }
                return nil
            }
            group.addTask {
                try await Task<Never, Never>.sleep(for: duration)
                return nil
            }
            group.addTask {
                try await gracefulShutdown()
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }
}
