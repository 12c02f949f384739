import Catalog
import Database
import Mirror
import ZohoBooks

/// One sync under way: the runs of its entities and what stopped them.
struct SyncSession {
    let sync: Synchroniser
    /// Who holds the leases.
    private let holder: String
    var runs: [EntityRun] = []
    /// Runs that have ended before the session's end, by entity.
    var ended: [String: (state: Run.State, error: String?)] = [:]
    /// Entities whose details were all asked for.
    var settled: Set<String> = []
    private var notBegun: [String] = []
    var quotaReturnsAt: Int64?
    /// Whether calls are left, and kept for lists.
    var keepsCalls = false
    /// Calls that one sweep of all lists takes; nil before it was needed.
    var sweep: Int?
    /// What makes it pointless to go on.
    private var fatal: (any Error)?
    /// Entities that cannot be read until the configuration is corrected.
    private var misconfigured: [String: ZohoBooksError] = [:]

    init(_ sync: Synchroniser, holder: String) {
        self.sync = sync
        self.holder = holder
    }

    var isStopped: Bool { fatal != nil || quotaReturnsAt != nil }

    // MARK: - The lists

    /// Lists one module for the entities that it feeds.
    mutating func list(_ mappings: [EntityMapping]) async {
        guard !isStopped, let module = mappings.first?.entity.module else {
            notBegun += mappings.map(\.entity.name)
            return
        }
        var entities: [EntityRun] = []
        var place: String?
        do {
            try Task.checkCancellation()
            try await begin(mappings, &entities)
            let counter = entities[0].counter
            let listing = PhaseProgress(.list, .list, client: sync.client, onEvent: sync.onEvent)
            listing.note(PhaseProgress.Mark(runs: entities.map(\.run)))
            let client = sync.client.counted(by: counter).observed { await listing.waits($0) }
            let plan = ListPlan(
                module, mappings, options: sync.options, cursors: entities.map(\.cursor),
                honoursModifiedFilter: try await honoursModifiedFilter(module, &entities, client),
                now: entities[0].run.startedAt)
            place = plan.name
            let phase = ListPhase(
                plan: plan, options: sync.options, client: client, counter: counter, mirror: sync.mirror,
                startedAt: entities[0].run.startedAt, window: sync.client.inFlight, listing: listing)
            try await phase.run(&entities)
        } catch {
            // What keeps a run from being recorded has no run that could tell it.
            if entities.count < mappings.count, error is DatabaseError { fatal = error }
            stop(mappings.map(\.entity.name), error)
            if let quotaReturnsAt, let place {
                // A list that is longer than a day's calls must not begin anew every day.
                for index in entities.indices where entities[index].cursor.resumePlan == place {
                    entities[index].cursor.resumeExpiresAt =
                        quotaReturnsAt + Int64(ListPlan.resumeLifetimeAfterQuota) * 1_000_000
                }
            }
        }
        runs += entities
        notBegun += mappings.map(\.entity.name).filter { name in !entities.contains { $0.run.entity == name } }
    }

    // MARK: - Beginning and ending

    /// Begins the runs of a module's entities, before any call is made for them, so that whatever happens then is
    /// recorded on a run.
    private func begin(_ mappings: [EntityMapping], _ entities: inout [EntityRun]) async throws {
        var cursors: [Cursor] = []
        for mapping in mappings { cursors.append(try await sync.mirror.cursor(of: mapping.entity.name)) }
        let kind = ListPlan.kind(sync.options, cursors)
        for (mapping, cursor) in zip(mappings, cursors) {
            let name = mapping.entity.name
            let run =
                sync.options.isDryRun
                ? Run.rehearsal(of: name, kind: kind, at: sync.mirror.now())
                : try await sync.mirror.beginRun(of: name, kind: kind, options: sync.options.json, holder: holder)
            entities.append(EntityRun(mapping: mapping, counter: CallCounter(), run: run, cursor: cursor))
            await tell(.began, run)
        }
        for index in entities.indices {
            entities[index].undecided = Set(
                try await sync.mirror.undecidedGone(of: entities[index].mapping).keys)
        }
    }

    /// Whether the module's list honours `last_modified_time`; asks once, and only where the answer would be used.
    private func honoursModifiedFilter(
        _ module: Module, _ entities: inout [EntityRun], _ client: ZohoBooksClient
    ) async throws -> Bool {
        switch module.modifiedFilter {
        case .documented: return true
        case .never, .sorted: return false
        case .probed: break
        }
        if let known = entities[0].cursor.filterHonoured { return known }
        let isUseful =
            sync.options.modifiedSince != nil
            || (sync.options.mode != .full && entities.allSatisfy { $0.cursor.modifiedThrough != nil })
        guard isUseful else { return false }
        let request = ListRequest(path: module.path, listKey: module.listKey, filter: module.everything)
        let honoured = try await client.honoursModifiedFilter(request)
        for index in entities.indices {
            entities[index].cursor.filterHonoured = honoured
            if !sync.options.isDryRun { try await sync.mirror.save(entities[index].cursor) }
        }
        return honoured
    }

    mutating func stop(_ entities: [String], _ error: any Error) {
        switch error {
        case is CancellationError:
            fatal = error
            for entity in entities { ended[entity] = Self.stopped }
        case let error as ZohoBooksError where error.kind == .cancelled:
            stop(entities, CancellationError())
        case let error as ZohoBooksError:
            if case .quota(let until) = error.kind {
                quotaReturnsAt = Timestamp.instant(of: until)
                for entity in entities { ended[entity] = (.partial, nil) }
                return
            }
            // Asking for everything means what the organisation has.
            let isExpected = error.kind == .moduleUnavailable && sync.options.excusesMissingModules
            for entity in entities { ended[entity] = (isExpected ? .completed : .failed, error.description) }
            if error.isConfiguration { for entity in entities { misconfigured[entity] = error } }
            if error.concernsEveryCall { fatal = error }
        case let error as MassDeletion:
            for entity in entities { ended[entity] = (.failed, error.description) }
        case let error as MissingDetails:
            for entity in entities { ended[entity] = (.completed, error.description) }
        default:
            // What one entity's table or trigger does says nothing about the others.
            if (error as? DatabaseError)?.concernsStatement != true { fatal = error }
            for entity in entities { ended[entity] = (.failed, "\(error)") }
        }
    }

    /// Records how each run ended and gives the report.
    ///
    /// - Parameter mappings: what was asked for.
    func finish(_ mappings: [EntityMapping]) async -> SyncReport {
        var report = SyncReport()
        report.notBegun = notBegun
        report.quotaReturnsAt = quotaReturnsAt
        report.keepsCalls = keepsCalls
        report.isDryRun = sync.options.isDryRun
        report.failure = fatal ?? misconfiguration
        report.rehearsed = runs.flatMap(\.rehearsed)
        let outstanding = await outstanding(mappings)
        report.detailsOutstanding = outstanding.values.reduce(0, +)
        for var entity in runs {
            let mirror = sync.mirror
            entity.run.progress.detailsOutstanding = outstanding[entity.run.entity]
            entity.run.progress.calls += entity.counter.take()
            let (state, error) = await end(of: entity)
            entity.run.state = state
            entity.run.lastError = error
            entity.run.finishedAt = mirror.now()
            if !sync.options.isDryRun {
                let run = entity.run
                let cursor = entity.cursor.resumePage == nil ? nil : entity.cursor
                do {
                    try await uncancelled { try await mirror.finish(run, state, error: error, cursor: cursor) }
                } catch let error as MirrorError {
                    // The lease was lost; its new holder records the same.
                    report.failure = report.failure ?? error
                    entity.run.state = .interrupted
                    entity.run.lastError = error.description
                } catch {
                    // What goes on as far as anybody can see has not ended well.
                    report.failure = report.failure ?? error
                    if state == .completed || state == .partial {
                        entity.run.state = .interrupted
                        entity.run.lastError = "The end of the run could not be recorded: \(error)"
                    }
                }
            }
            report.runs.append(entity.run)
            await tell(.ended, entity.run)
        }
        return report
    }

    /// Why nothing of what was asked for could be read, where only the configuration keeps it from being read.
    private var misconfiguration: ZohoBooksError? {
        guard runs.allSatisfy({ misconfigured[$0.run.entity] != nil }) else { return nil }
        return runs.first.flatMap { misconfigured[$0.run.entity] }
    }

    /// How many details a later sync can read, by entity, whether or not this one came so far.
    private func outstanding(_ mappings: [EntityMapping]) async -> [String: Int] {
        let mirror = sync.mirror
        var numbers: [String: Int] = [:]
        for mapping in mappings {
            numbers[mapping.entity.name] = try? await uncancelled {
                let access = try await mirror.detailAccess(of: mapping.entity.name)
                return access.isRefused(at: mirror.now()) ? 0 : try await mirror.outstandingDetails(of: mapping)
            }
        }
        return numbers
    }

    private func end(of entity: EntityRun) async -> (Run.State, error: String?) {
        let name = entity.run.entity
        if let end = ended[name] { return end }
        guard fatal != nil || quotaReturnsAt != nil, await lacksDetails(entity) else { return (.completed, nil) }
        if fatal is CancellationError { return Self.stopped }
        if let fatal { return (.interrupted, "Not all details were read, because the sync ended early: \(fatal)") }
        return (.partial, nil)
    }

    /// Whether there are details that this sync was to read and did not ask for.
    private func lacksDetails(_ entity: EntityRun) async -> Bool {
        guard sync.options.includesDetails, !sync.options.isDryRun, !settled.contains(entity.run.entity) else {
            return false
        }
        let (mirror, mapping, filter) = (sync.mirror, entity.mapping, sync.options.dueFilter)
        let before = expiredBefore(entity)
        let due = try? await uncancelled {
            try await mirror.outstandingDetails(of: mapping, before: before, where: filter)
        }
        return due.map { $0 > 0 } ?? true
    }

    private static let stopped = (Run.State.interrupted, error: "The sync was stopped; the next one continues.")

    private func tell(_ phase: SyncEvent.Phase, _ run: Run) async {
        await sync.onEvent(
            SyncEvent(
                entity: run.entity, phase: phase, done: run.progress.fetched, doneBefore: 0, expected: nil,
                elapsed: .zero, waits: nil, timeToGo: nil, progress: run.progress, callsLeftThisMinute: nil,
                callsLeftToday: nil, run: run))
    }
}

extension Run {
    /// A run that is not recorded, because nothing is written.
    fileprivate static func rehearsal(of entity: String, kind: Kind, at time: Int64) -> Run {
        Run(
            id: 0, entity: entity, kind: kind, state: .running, startedAt: time, finishedAt: nil, progress: .init(),
            lastError: nil)
    }
}
