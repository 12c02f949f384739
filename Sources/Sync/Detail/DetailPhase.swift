import Catalog
import Database
import Mirror
import ZohoBooks

/// Reads the complete records that an entity's rows still lack, newest first, and applies them.
///
/// It goes step by step, so that several entities can take turns. Which details are outstanding is part of the rows, so
/// that the phase continues where any earlier one stopped.
struct DetailPhase: Sendable {
    private let client: ZohoBooksClient
    private let mirror: Mirror
    private let options: SyncOptions
    /// Details older than this are read again, in microseconds since 1970; nil where only changed rows need one.
    private let expiredBefore: Int64?
    /// Told after each commit.
    let reading: PhaseProgress

    private let reader: DetailReader
    /// Details that were outstanding at the beginning.
    private let expected: Int
    /// Whether details of the entity are known to be given; until then one call is made alone.
    private var isProven: Bool
    private let wasRefused: Bool
    /// What was asked for in the last step.
    private var previous: Set<String> = []
    /// Rows that cannot be settled in this run.
    private var stuck: Set<String> = []
    /// Why a record could not be read, where that happened.
    private var refusal: (any Error)?
    /// The time that the steps have taken.
    private var elapsed: Duration = .zero

    /// Rows that are looked up at a time.
    private static let lookup = 500
    /// Calls of one step where entities take turns.
    private static let turn = 25
    /// Details that are gathered before they are applied: what a kill can cost in calls.
    private static let gathered = 25
    /// Refused records in a row after which the fault is not theirs.
    private static let maximumConsecutiveFailures = 10

    /// Looks up what there is to do.
    ///
    /// - Throws: ``MissingDetails`` where Zoho gives none, as it said a short while ago.
    init(_ sync: Synchroniser, _ entity: EntityRun, expiredBefore: Int64?) async throws {
        let mapping = entity.mapping
        let reading = PhaseProgress(
            .details, mapping.entity.module.detail.callKind, client: sync.client, onEvent: sync.onEvent)
        self.reading = reading
        client = sync.client.counted(by: entity.counter).observed { await reading.waits($0) }
        mirror = sync.mirror
        options = sync.options
        self.expiredBefore = expiredBefore
        if !entity.reappeared.isEmpty { try await mirror.noteListed(entity.reappeared, of: mapping) }
        expected = try await mirror.outstandingDetails(of: mapping, before: expiredBefore, where: options.dueFilter)
        let access = try await mirror.detailAccess(of: mapping.entity.name)
        if expected > 0, access.isRefused(at: mirror.now()) { throw MissingDetails(of: mapping) }
        reader = DetailReader(client: client, mirror: mirror, mapping: mapping, access: access)
        wasRefused = access.refusedAt != nil
        if expected == 0 || wasRefused {
            isProven = false
        } else {
            isProven = try await mirror.hasDetails(of: mapping.entity.module)
        }
    }

    /// Reads and applies some details.
    ///
    /// A record that Zoho fails to give costs itself alone: the others are read, and it stays outstanding.
    ///
    /// - Parameters:
    ///   - calls: more are not made, unless records turn out to be gone or to be refused; 1 or more.
    ///   - isAlone: whether no other entity waits for its turn.
    /// - Returns: whether there may be more; ``end(_:after:)`` is called after the last step.
    /// - Throws: ``ZohoBooksError`` where nothing more can be read, such as at the end of the day's quota;
    ///   ``MissingDetails`` where Zoho gives none. What was read has been applied, and `entity` is as far as the last
    ///   commit.
    mutating func step(_ entity: inout EntityRun, calls: Int, isAlone: Bool) async throws -> Bool {
        guard expected > 0 else { return false }
        let most = isProven ? (isAlone ? calls : min(calls, Self.turn)) : 1
        let ids = try await due(min(Self.lookup, min(most, Self.lookup) * reader.size), of: entity.mapping)
        guard !ids.isEmpty else { return false }
        do {
            let refused = try await read(ids, &entity)
            refusal = refusal ?? refused
        } catch let error as ZohoBooksError where error.kind == .endpointMissing {
            try await mirror.noteDetailsRefused(of: entity.run.entity, at: mirror.now())
            throw MissingDetails(of: entity.mapping)
        }
        stuck.formUnion(entity.gone)
        if isProven { return true }
        if wasRefused, refusal == nil { try await mirror.noteDetailsRefused(of: entity.run.entity, at: nil) }
        isProven = true
        return calls > 1 ? try await step(&entity, calls: calls - 1, isAlone: isAlone) : true
    }

    /// Whether there are details that were not asked for.
    mutating func hasMore(of entity: EntityRun) async throws -> Bool {
        expected > 0 ? try await !due(1, of: entity.mapping).isEmpty : false
    }

    /// Marks what turned out to be gone.
    ///
    /// - Throws: what ended the phase, or the first reason for which a record could not be read; ``MassDeletion`` where
    ///   too many are gone for that to be believed.
    func end(_ entity: inout EntityRun, after failure: (any Error)? = nil) async throws {
        var failure = failure ?? refusal
        do { try await markGone(&entity) } catch { failure = failure ?? error }
        if let failure { throw failure }
    }

    /// The next rows that lack a detail and were not asked for in vain.
    private mutating func due(_ limit: Int, of mapping: EntityMapping) async throws -> [String] {
        while true {
            let due = try await mirror.dueDetails(
                of: mapping, before: expiredBefore, where: options.dueFilter, limit: limit, excluding: stuck)
            // A row that is still due after its detail was read cannot be settled in this run.
            let again = previous.intersection(due)
            stuck.formUnion(again)
            let fresh = due.filter { !again.contains($0) }
            guard fresh.isEmpty, !again.isEmpty else {
                previous = Set(fresh)
                return fresh
            }
        }
    }

    /// Reads and applies the details of some rows.
    ///
    /// - Returns: why a record could not be read, where that happened.
    private mutating func read(_ ids: [String], _ entity: inout EntityRun) async throws -> (any Error)? {
        let clock = ContinuousClock()
        let start = clock.now - elapsed
        defer { elapsed = clock.now - start }
        var calls = reader.calls(for: ids)[...]
        var pending = DetailAnswer()
        var failure: (any Error)?
        var refusal: (any Error)?
        var refusedInARow = 0
        reading.note(mark(entity, elapsed))

        await withTaskGroup(of: Result<DetailAnswer, any Error>.self) { group in
            var underWay = 0
            func fill() {
                while failure == nil, underWay < client.inFlight, let call = calls.popFirst() {
                    underWay += 1
                    group.addTask { [reader] in
                        do { return .success(try await reader.answer(to: call)) } catch { return .failure(error) }
                    }
                }
            }
            fill()
            while let result = await group.next() {
                underWay -= 1
                switch result {
                case .success(let answer):
                    pending.add(answer)
                    refusal = refusal ?? answer.refused.values.first
                    failure = failure ?? answer.obstacle
                    refusedInARow = 0
                    reading.note(mark(entity, clock.now - start, pending: pending.count))
                case .failure(let error):
                    refusedInARow += 1
                    refusal = refusal ?? error
                    if !error.concernsOneRecord || refusedInARow >= Self.maximumConsecutiveFailures {
                        failure = failure ?? error
                    }
                }
                fill()
                guard pending.count >= Self.gathered || underWay == 0 else { continue }
                do {
                    try await apply(pending, &entity, (clock.now - start).milliseconds)
                    pending = DetailAnswer()
                    reading.note(mark(entity, clock.now - start))
                    await reading.tell()
                } catch {
                    failure = failure ?? error
                    group.cancelAll()
                }
            }
        }
        if let failure { throw failure }
        try Task.checkCancellation()
        return refusal
    }

    /// How far the phase has come.
    ///
    /// - Parameter pending: details that were read and not applied yet.
    private func mark(_ entity: EntityRun, _ working: Duration, pending: Int = 0) -> PhaseProgress.Mark {
        PhaseProgress.Mark(
            runs: [entity.run], done: entity.run.progress.details + pending, expected: expected,
            recordsPerCall: reader.size, working: working)
    }

    /// The calls that are left to make, and what the minute's limits count them as.
    func callsToCome(of entity: EntityRun) -> (count: Int, kind: CallKind) {
        (mark(entity, elapsed).callsToCome, entity.mapping.entity.module.detail.callKind)
    }

    private func apply(_ answer: DetailAnswer, _ entity: inout EntityRun, _ milliseconds: Int) async throws {
        guard answer.count > 0 else { return }
        var batch = Batch(entity.mapping, origin: .run(entity.run.id))
        for record in answer.records {
            batch.add(
                record.json, shape: .detail, observedAt: Timestamp.instant(of: record.observedAt))
        }
        // What a row is due for, the record may no longer be; it stays due for a sync that leaves nothing out.
        let (filter, mapped) = (RecordFilter(options), batch.records)
        batch.records = mapped.compactMap { filter.keep($0, batch.mapping) }
        var skipped = mapped.count - batch.records.count
        let runID = entity.run.id
        for chunk in batch.chunks(of: options.batchSize) {
            var addition = Run.Progress()
            addition.calls = entity.counter.take()
            addition.details = chunk.records.count + chunk.rejected.count + skipped
            addition.skipped = skipped
            skipped = 0
            addition.listMilliseconds = entity.run.progress.listMilliseconds
            addition.detailMilliseconds = milliseconds
            let base = addition
            let result = try await uncancelled { [mirror] in
                try await mirror.apply(chunk) { transaction, result in
                    var addition = base
                    addition.add(result)
                    try transaction.add(addition, to: runID)
                }
            }
            addition.add(result)
            entity.run.progress.add(addition)
        }
        guard let goneAt = answer.goneAt else { return }
        entity.gone.formUnion(answer.gone)
        entity.goneAt = min(entity.goneAt, goneAt)
        entity.run.progress.details += answer.gone.count
    }

    /// Marks what is gone as deleted, unless it is so much that the source may be mistaken: then it is remembered, and a
    /// person is asked by each sync until it is decided, but not Zoho.
    private func markGone(_ entity: inout EntityRun) async throws {
        let (gone, mapping, goneAt, mirror) = (entity.gone, entity.mapping, entity.goneAt, mirror)
        let all = try await mirror.undecidedGone(of: mapping).merging(gone.map { ($0, goneAt) }) { $1 }
        guard !all.isEmpty else { return }
        let rows = try await mirror.rowCounts(of: mapping).present
        guard options.deletions.allows(all.count, of: rows) else {
            if !gone.isEmpty { try await uncancelled { try await mirror.noteGone(gone, of: mapping, at: goneAt) } }
            throw MassDeletion(description: DeletionBound.question(all.count, of: rows, entity: mapping.entity.name))
        }
        let origin = Origin.run(entity.run.id)
        for (saidAt, ids) in Dictionary(grouping: all.keys, by: { all[$0] ?? goneAt }) {
            let deleted = try await uncancelled {
                try await mirror.markDeleted(ids, of: mapping, observedAt: saidAt, origin: origin)
            }
            entity.run.progress.counts[.deleted, default: 0] += deleted
        }
    }
}

extension Module.Detail {
    /// What the minute's limits count a call for details as.
    fileprivate var callKind: CallKind {
        switch self {
        case .single: .detail
        case .itemDetails: .list
        }
    }
}

/// So many records are gone at the source that a person has to confirm it.
struct MassDeletion: Error, CustomStringConvertible {
    let description: String
}

extension Error {
    /// Whether other records can still be read.
    var concernsOneRecord: Bool {
        switch (self as? ZohoBooksError)?.kind {
        case .badRequest, .server, .invalidAnswer: true
        default: false
        }
    }
}
