import Catalog
import Mirror
import ZohoBooks

/// Lists one module: pages are fetched, mapped and committed in parallel, as far as each of the three allows it.
struct ListPhase: Sendable {
    let plan: ListPlan
    let options: SyncOptions
    let client: ZohoBooksClient
    let counter: CallCounter
    let mirror: Mirror
    /// Microseconds since 1970.
    let startedAt: Int64
    /// Pages that are fetched, or fetched and not yet committed, at the same time.
    let window: Int
    /// Told after each page.
    let listing: PhaseProgress

    /// Reads the list from its first or next page to its end.
    ///
    /// - Parameter entities: the runs of the plan's entities; they are always as far as the last commit, also when this
    ///   throws.
    func run(_ entities: inout [EntityRun]) async throws {
        let cursors = entities.map(\.cursor)
        let first = plan.firstPage(cursors, at: startedAt)
        let goesOn = first > 1
        let beginning = goesOn ? cursors.compactMap(\.resumeStartedAt).min() ?? startedAt : startedAt
        let savesResumePoint = plan.savesResumePoint(cursors, at: startedAt)
        let progress = ListProgress(
            entities, from: first, seen: goesOn ? cursors.compactMap(\.resumeModified).max() : nil)
        defer { entities = progress.entities }
        // Only a list of which nothing is known at all is worth the chance of a call too many.
        var pages = PagePlan(
            from: first, expectedCount: plan.expectedCount(cursors), gallops: plan.showsEverything && !goesOn)
        var end = ListEnd(plan)
        var waiting: [Int: RecordPage] = [:]
        var nextToCommit = first
        let doneBefore = (first - 1) * PagePlan.pageSize
        var done = doneBefore
        var total: Int?
        let clock = ContinuousClock()
        let start = clock.now

        try await withThrowingTaskGroup(of: Step.self) { group in
            var fetching = 0
            var committing = 0
            // Ends the fetching. Pages before the one that is missing have cost calls, and are committed.
            var failure: (any Error)?
            func proceed() throws {
                // One more than can write, so that a page is mapped meanwhile. What was asked for beyond the end is
                // empty. The last page says that the list is complete, so it commits when all others have.
                while committing <= mirror.writers, let page = waiting[nextToCommit],
                    page.hasMore || committing == 0
                {
                    try Task.checkCancellation()
                    waiting[nextToCommit] = nil
                    nextToCommit = page.hasMore ? nextToCommit + 1 : .max
                    committing += 1
                    group.addTask { [total] in
                        try await commit(
                            page, progress, beginning, total: total, savesResumePoint: savesResumePoint,
                            clock.now - start)
                    }
                }
                while failure == nil, fetching + committing + waiting.count < window, let number = pages.next() {
                    fetching += 1
                    var request = plan.request
                    request.wantsTotal = number == first && plan.stopsBefore == nil
                    group.addTask { [request] in
                        do { return .fetched(try await client.page(number, of: request)) } catch {
                            return .refused(error)
                        }
                    }
                }
            }
            try proceed()
            while let step = try await group.next() {
                switch step {
                case .fetched(let fetched):
                    let page = end.ended(fetched)
                    fetching -= 1
                    pages.received(page.number, hasMore: page.hasMore, total: page.total)
                    total = page.total ?? total
                    waiting[page.number] = page
                    try proceed()
                case .refused(let error):
                    fetching -= 1
                    failure = failure ?? error
                case .committed(let records):
                    committing -= 1
                    try proceed()
                    done += records
                    listing.note(
                        PhaseProgress.Mark(
                            runs: progress.entities.map(\.run), done: done, doneBefore: doneBefore, expected: total,
                            recordsPerCall: PagePlan.pageSize, working: clock.now - start))
                    await listing.tell()
                }
            }
            if let failure { throw failure }
        }
    }

    private enum Step: Sendable {
        case fetched(RecordPage)
        case refused(any Error)
        case committed(records: Int)
    }

    private func commit(
        _ page: RecordPage, _ progress: ListProgress, _ beginning: Int64, total: Int?, savesResumePoint: Bool,
        _ elapsed: Duration
    ) async throws -> Step {
        let page = MappedPage(page, plan, options, runs: progress.entities.map(\.run))
        let count = (page.number - 1) * PagePlan.pageSize + page.fetched
        let calls = counter.take()
        let skew = Int64((client.clockSkew ?? 0) * 1_000_000)
        for (index, batch) in page.batches.enumerated() {
            let chunks = batch.chunks(of: options.batchSize)
            let step = PageStep(
                number: page.number, isLast: !page.hasMore, movesCursor: plan.isComplete,
                plan: savesResumePoint ? plan.name : nil, listStartedAt: beginning, zohoStartedAt: beginning - skew,
                resumableUntil: mirror.now() + Int64(ListPlan.resumeLifetime) * 1_000_000,
                modifiedThrough: page.modifiedThrough,
                pages: index == 0 ? 1 : 0, calls: index == 0 ? calls : 0,
                fetched: batch.records.count + batch.rejected.count + page.skipped[index],
                skipped: page.skipped[index],
                listCount: plan.showsEverything ? count : nil,
                isShort: total.map { count < $0 } ?? false,
                milliseconds: elapsed.milliseconds)
            for (position, chunk) in chunks.enumerated() {
                try await commit(chunk, position == chunks.count - 1 ? step : nil, of: index, progress)
            }
        }
        return .committed(records: page.fetched)
    }

    private func commit(_ batch: Batch, _ page: PageStep?, of entity: Int, _ progress: ListProgress) async throws {
        if options.isDryRun {
            progress.add(try await mirror.rehearse(batch), page, of: entity, isRehearsal: true)
            return
        }
        try await uncancelled { [mirror] in
            let result = try await mirror.apply(batch) { transaction, result in
                let pending = progress.pending(result, page, of: entity)
                try transaction.add(pending.progress, to: pending.runID)
                if let cursor = pending.cursor { try transaction.save(cursor) }
            }
            progress.add(result, page, of: entity)
            progress.noteSeen(batch, of: entity)
        }
    }
}

extension Duration {
    /// Whole milliseconds.
    package var milliseconds: Int {
        Int(components.seconds) * 1_000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
