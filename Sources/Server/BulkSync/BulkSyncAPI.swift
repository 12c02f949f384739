import Catalog
import Database
import Foundation
import HTTPTypes
import Hummingbird
import Mirror
import Sync
import ZohoBooks

/// Starts syncs and tells how they go.
struct BulkSyncAPI: Sendable {
    let mirror: Mirror
    let runs: SyncRuns
    let budget: @Sendable () async throws -> BudgetSnapshot

    // MARK: - Starting and stopping

    func start(_ request: Request, _ context: ServerContext) async throws -> Response {
        let name = (context.parameters.get("entity") ?? "").replacing("-", with: "_")
        guard name == "sync_all" || Catalog.entity(named: name) != nil else {
            let names = Catalog.entities.map(\.entity.name).joined(separator: ", ")
            throw Problem(.notFound, "There is no entity \(name). Choose from \(names), sync-all.")
        }
        let body = Array(try await request.body.collect(upTo: 64 << 10).readableBytesView)
        let options = try BulkSyncRequest(body, entities: name == "sync_all" ? [] : [name]).options
        let beganAt = mirror.now()
        let started: SyncRuns.Started
        do {
            started = try await runs.start(options)
        } catch let error as SyncRunsError {
            guard case .running(let entity) = error else { throw error }
            throw try await conflict(error.description, entity)
        } catch let error as MirrorError {
            guard case .leased(let lease, _, _) = error else { throw error }
            throw try await conflict(error.description, lease.split(separator: " ").last.map(String.init) ?? name)
        }
        if let seconds = WaitPreference.seconds(in: request.headers[.prefer]) {
            if let result = try await started.report.result(within: .seconds(seconds)) {
                let document = SyncResultDocument(result, startedAt: beganAt, endedAt: mirror.now())
                var response = Response.json(.ok, document)
                response.headers[.preferenceApplied] = "wait=\(seconds)"
                if let run = started.run { response.headers[.location] = Self.location(of: run) }
                return response
            }
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

    private func conflict(_ detail: String, _ entity: String) async throws -> Problem {
        var problem = Problem(.conflict, detail)
        problem.run = try await mirror.runs(entity: entity, state: .running, limit: 1).first.map { RunDocument($0) }
        return problem
    }

    private static func location(of run: Run) -> String { "/api/zoho/bulk-sync/runs/\(run.id)" }

    func cancel(_ request: Request, _ context: ServerContext) async throws -> Response {
        let run = try await run(context)
        guard run.state == .running else {
            throw Problem(.conflict, "Run \(run.id) has ended already: \(run.state.rawValue).")
        }
        guard await runs.cancel(run.id) else {
            throw Problem(
                .conflict, "Run \(run.id) belongs to another process. Stop it there with Ctrl-C or SIGTERM.")
        }
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
                query.refuse("state", "must be running, completed, partial, interrupted or failed")
            }
        }
        try query.finish()
        let runs = try await mirror.runs(entity: entity, state: state, before: before, limit: limit)
        return .json(.ok, RunsDocument(runs: runs.map { RunDocument($0) }))
    }

    func status(_ request: Request, _ context: ServerContext) async throws -> Response {
        .json(.ok, try await StatusDocument(of: mirror, budget: try await budget()))
    }

    /// Tells a run's progress until its end, whichever process runs it.
    func events(_ request: Request, _ context: ServerContext) async throws -> Response {
        let first = try await run(context)
        return .events { [mirror] stream in
            var last = first
            try await stream.send("progress", data: RunDocument(first).json)
            while last.state == .running {
                guard try await stream.pause(for: .milliseconds(500)) else { return }
                guard let run = try await mirror.run(first.id) else { break }
                if run != last { try await stream.send("progress", data: RunDocument(run).json) }
                last = run
            }
            try await stream.send("end", data: RunDocument(last).json)
        }
    }
}

extension Task where Success: Sendable, Failure == any Error {
    /// The task's result, or nil where it takes longer; the task goes on then.
    fileprivate func result(within duration: Duration) async throws -> Result<Success, any Error>? {
        try await withThrowingTaskGroup(of: Result<Success, any Error>?.self) { group in
            let (ends, continuation) = AsyncStream<Result<Success, any Error>>.makeStream()
            // Waiting for a task's value cannot be given up, so it is done beside.
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
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }
}
