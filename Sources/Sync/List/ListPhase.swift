import Catalog
import Mirror
import ZohoBooks

/// Lists one module and applies its pages in order, while further pages are fetched and mapped side by side.
struct ListPhase: Sendable {
    let plan: ListPlan
    let options: SyncOptions
    let client: ZohoBooksClient
    let mirror: Mirror
    let startedAt: Int64
    /// Pages that are fetched, or fetched and not yet applied, at the same time.
    let window: Int
    let report: @Sendable (EntityRun, _ done: Int, _ expected: Int?, _ elapsed: Duration) async -> Void

    /// Reads the list from its first or next page to its end.
    ///
    /// - Parameter entities: the runs of the plan's entities; they are always as far as the last commit, also when this
    ///   throws.
    func run(_ entities: inout [EntityRun]) async throws {
        let cursors = entities.map(\.cursor)
        let first = plan.firstPage(cursors)
        if first == 1 {
            for index in entities.indices { entities[index].cursor.resumeModified = nil }
        }
        var pages = PagePlan(from: first, expectedCount: plan.expectedCount(cursors))
        var received: [Int: MappedPage] = [:]
        var nextToApply = first
        var total: Int?
        let clock = ContinuousClock()
        let start = clock.now
        let runs = entities.map(\.run)

        try await withThrowingTaskGroup(of: MappedPage.self) { group in
            var inFlight = 0
            func fill() {
                while inFlight + received.count < window, let number = pages.next() {
                    inFlight += 1
                    group.addTask {
                        MappedPage(try await client.page(number, of: plan.request), plan, options, runs: runs)
                    }
                }
            }
            fill()
            while let page = try await group.next() {
                inFlight -= 1
                pages.received(page.number, hasMore: page.hasMore, total: page.total)
                total = page.total ?? total
                received[page.number] = page
                fill()
                while let ready = received.removeValue(forKey: nextToApply) {
                    try Task.checkCancellation()
                    let elapsed = clock.now - start
                    try await apply(ready, &entities, elapsed)
                    let done = (ready.number - first) * PagePlan.pageSize + ready.fetched
                    let rest = total.map { $0 - (first - 1) * PagePlan.pageSize }
                    for entity in entities { await report(entity, done, rest, clock.now - start) }
                    // What was asked for beyond the end is empty.
                    nextToApply = ready.hasMore ? nextToApply + 1 : .max
                    fill()
                }
            }
        }
    }

    private func apply(_ page: MappedPage, _ entities: inout [EntityRun], _ elapsed: Duration) async throws {
        let count = (page.number - 1) * PagePlan.pageSize + page.fetched
        for index in entities.indices {
            let chunks = page.batches[index].chunks(of: options.batchSize)
            let step = PageStep(
                number: page.number, isLast: !page.hasMore, movesCursor: plan.isComplete, plan: plan.name,
                pages: index == 0 ? 1 : 0,
                fetched: page.batches[index].records.count + page.batches[index].rejected.count + page.skipped[index],
                skipped: page.skipped[index],
                listCount: plan.request.modifiedSince == nil && plan.isComplete ? count : nil,
                milliseconds: elapsed.milliseconds)
            for (position, chunk) in chunks.enumerated() {
                let before = entities[index]
                let pageStep = position == chunks.count - 1 ? step : nil
                entities[index] = try await commit(chunk, before, pageStep)
            }
        }
    }

    private func commit(_ batch: Batch, _ before: EntityRun, _ step: PageStep?) async throws -> EntityRun {
        let listStartedAt = startedAt
        if options.isDryRun {
            let result = try await mirror.rehearse(batch)
            return before.after(result, page: step, listStartedAt: listStartedAt)
        }
        let result = try await uncancelled { [mirror] in
            try await mirror.apply(batch) { transaction, result in
                let after = before.after(result, page: step, listStartedAt: listStartedAt)
                try transaction.record(after.run.progress, of: after.run.id)
                if step != nil { try transaction.save(after.cursor) }
            }
        }
        return before.after(result, page: step, listStartedAt: listStartedAt)
    }
}

/// Runs work that must not be torn in the middle when its caller is cancelled: a commit, the record of how a run ended.
func uncancelled<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T {
    try await Task { try await work() }.value
}

extension Duration {
    /// Whole milliseconds.
    package var milliseconds: Int {
        Int(components.seconds) * 1_000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
