import Catalog
import Foundation
import Mirror
import ZohoBooks

/// Reads the complete records that an entity's rows still lack, newest first, and applies them.
///
/// Which details are outstanding is part of the rows, so that the phase goes on where any earlier one stopped.
struct DetailPhase: Sendable {
    let client: ZohoBooksClient
    let mirror: Mirror
    let options: SyncOptions
    /// Calls that are made side by side.
    let concurrency: Int
    /// Details older than this are read again, in microseconds since 1970; nil where only changed rows need one.
    let expiredBefore: Int64?
    let report: @Sendable (EntityRun, _ done: Int, _ expected: Int?, _ elapsed: Duration) async -> Void

    /// Rows that are looked up at a time.
    private static let lookup = 500
    /// Details that are gathered before they are applied: what a kill can cost in calls.
    private static let gathered = 25
    /// So many refused records in a row are no accident of theirs.
    private static let patience = 10

    /// Reads details until none is outstanding.
    ///
    /// A record that Zoho fails to give costs itself alone: the others are read, and it stays outstanding.
    ///
    /// - Throws: ``ZohoBooksError`` where nothing more can be read, such as at the end of the day's quota, or at the end
    ///   for the first record that could not be read; what was read has been applied, and `entity` is as far as the last
    ///   commit. ``MassDeletion`` where Zoho says of too many that they are gone.
    func run(_ entity: inout EntityRun) async throws {
        let expected = try await mirror.outstandingDetails(
            of: entity.mapping, before: expiredBefore, where: options.dueFilter)
        guard expected > 0 else { return }
        let rows = try await mirror.rowCounts(of: entity.mapping).present
        var failure: (any Error)?
        do {
            failure = try await readDue(&entity, expected)
        } catch {
            failure = error
        }
        do {
            try await markGone(&entity, of: rows)
        } catch {
            failure = failure ?? error
        }
        if let failure { throw failure }
    }

    /// Reads what is due until nothing is.
    ///
    /// - Returns: why a record could not be read, where that happened.
    private func readDue(_ entity: inout EntityRun, _ expected: Int) async throws -> (any Error)? {
        let clock = ContinuousClock()
        let start = clock.now
        var stuck: Set<String> = []
        var previous: Set<String> = []
        var refusal: (any Error)?
        while true {
            let due = try await mirror.dueDetails(
                of: entity.mapping, before: expiredBefore, where: options.dueFilter, limit: Self.lookup,
                excluding: stuck)
            // A row that is still due after its detail was read cannot be settled in this run.
            stuck.formUnion(previous.intersection(due))
            let fresh = due.filter { !previous.contains($0) }
            if fresh.isEmpty { break }
            previous = Set(fresh)
            let refused = try await read(fresh, &entity, expected, clock, start)
            refusal = refusal ?? refused
            stuck.formUnion(entity.gone)
        }
        return refusal
    }

    /// Reads and applies the details of some rows.
    ///
    /// - Returns: why a record could not be read, where that happened.
    private func read(
        _ ids: [String], _ entity: inout EntityRun, _ expected: Int, _ clock: ContinuousClock,
        _ start: ContinuousClock.Instant
    ) async throws -> (any Error)? {
        let reader = DetailReader(client: client, module: entity.mapping.entity.module, now: mirror.now)
        var calls = reader.calls(for: ids)[...]
        var pending = DetailAnswer()
        var failure: (any Error)?
        var refusal: (any Error)?
        var refusedInARow = 0

        await withTaskGroup(of: Result<DetailAnswer, any Error>.self) { group in
            var inFlight = 0
            func fill() {
                while failure == nil, inFlight < concurrency, let call = calls.popFirst() {
                    inFlight += 1
                    group.addTask {
                        do { return .success(try await reader.answer(to: call)) } catch { return .failure(error) }
                    }
                }
            }
            fill()
            while let result = await group.next() {
                inFlight -= 1
                switch result {
                case .success(let answer):
                    pending.add(answer)
                    refusedInARow = 0
                case .failure(let error):
                    refusedInARow += 1
                    refusal = refusal ?? error
                    if !error.concernsOneRecord || refusedInARow >= Self.patience { failure = failure ?? error }
                }
                fill()
                guard pending.count >= Self.gathered || inFlight == 0 else { continue }
                do {
                    try await apply(pending, &entity, (clock.now - start).milliseconds)
                    pending = DetailAnswer()
                    await report(entity, entity.run.progress.details, expected, clock.now - start)
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

    private func apply(_ answer: DetailAnswer, _ entity: inout EntityRun, _ milliseconds: Int) async throws {
        guard answer.count > 0 else { return }
        var batch = Batch(entity.mapping, origin: .run(entity.run.id))
        for record in answer.records {
            batch.add(
                record.json, shape: .detail, observedAt: Int64(record.observedAt.timeIntervalSince1970 * 1_000_000))
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

    /// Marks what is gone as deleted, unless it is so much that the source may be mistaken.
    private func markGone(_ entity: inout EntityRun, of rows: Int) async throws {
        let (gone, mapping, goneAt) = (Array(entity.gone), entity.mapping, entity.goneAt)
        guard !gone.isEmpty else { return }
        guard DeletionBound().allows(gone.count, of: rows) else {
            throw MassDeletion(description: DeletionBound.question(gone.count, of: rows, entity: mapping.entity.name))
        }
        let origin = Origin.run(entity.run.id)
        let deleted = try await uncancelled { [mirror] in
            try await mirror.markDeleted(gone, of: mapping, observedAt: goneAt, origin: origin)
        }
        entity.run.progress.counts[.deleted, default: 0] += deleted
    }
}

/// So many records are gone at the source that a person has to say whether that is true.
struct MassDeletion: Error, CustomStringConvertible {
    let description: String
}

extension Error {
    /// Whether another record may be read all the same.
    var concernsOneRecord: Bool {
        switch (self as? ZohoBooksError)?.kind {
        case .badRequest, .server, .invalidAnswer: true
        default: false
        }
    }
}
