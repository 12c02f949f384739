import Catalog
import Database
import Mirror
import ZohoBooks

/// One comparison under way: what was found so far, and the calls that are left.
struct ReconciliationSession {
    private let reconciler: Reconciler
    private let cost: ReconciliationCost
    /// Who holds the leases.
    private let holder: String
    private var calls: ReconciliationCalls
    private var callsMade = 0
    private var results: [(entity: String, findings: Findings)] = []
    /// Why nothing more can be read.
    private var outage: ZohoBooksError?

    init(_ reconciler: Reconciler, _ cost: ReconciliationCost, holder: String) {
        self.reconciler = reconciler
        self.cost = cost
        self.holder = holder
        calls = ReconciliationCalls(cost)
    }

    /// In the catalogue's order, whatever the order of the comparisons.
    var report: ReconciliationReport {
        let entities = Catalog.entities.compactMap { mapping in results.first { $0.entity == mapping.entity.name } }
        return ReconciliationReport(entities: entities, cost: cost, calls: callsMade)
    }

    /// Compares the entities of one module.
    mutating func compare(_ mappings: [EntityMapping]) async throws {
        let mirror = reconciler.mirror
        var parts: [EntityComparison] = []
        for mapping in mappings {
            let run = try await mirror.beginRun(
                of: mapping.entity.name, kind: .reconciliation, options: reconciler.options.json,
                holder: holder)
            parts.append(
                EntityComparison(
                    mapping, run, reconciler, rows: try await mirror.rowCounts(of: mapping).present,
                    last: try await mirror.reconciliations(entity: mapping.entity.name, limit: 1).first))
        }
        let pages = cost.lists[mappings[0].entity.module.path] ?? 1
        var passes = reconciler.options.passes
        var failure: (any Error)?
        do {
            if let outage { throw outage }
            try await spare(mappings)
            while passes > 0 {
                passes -= 1
                calls.keptForLists -= pages
                try await pass(mappings, &parts, pages)
                // What was listed before it changed, or moved while it was listed, is found by another list.
                guard parts.contains(where: { $0.isUnsettled && $0.findings.question == nil }),
                    !parts.contains(where: { $0.findings.failure != nil })
                else { break }
            }
        } catch {
            failure = error
        }
        calls.keptForLists -= pages * passes
        for index in parts.indices { try await finish(&parts[index], failure, isFirst: index == 0) }
        switch failure {
        case nil, is ShortOfCalls: break
        case let error as ZohoBooksError where error.kind == .cancelled: throw CancellationError()
        case let error as ZohoBooksError:
            if case .quota = error.kind {
                outage = error
            } else if error.concernsEveryCall {
                throw error
            }
        case let error as DatabaseError where error.concernsStatement: break
        case let error?: throw error
        }
    }

    /// Leaves the day's calls to syncs where they would be short of them.
    private func spare(_ mappings: [EntityMapping]) async throws {
        let path = mappings[0].entity.module.path
        guard cost.lists[path] != 0, case let left = try await reconciler.spareCalls(),
            case let pages = PagePlan.pages(for: cost.records[path] ?? 0), left < pages
        else { return }
        throw ShortOfCalls(
            description: """
                Its list takes \(pages) calls, and those that are left today are kept for syncs. It is compared when there \
                are more.
                """)
    }

    /// Lists the module once, and reads what seems to differ individually.
    private mutating func pass(
        _ mappings: [EntityMapping], _ parts: inout [EntityComparison], _ pages: Int
    ) async throws {
        for index in parts.indices { parts[index].beginPass() }
        if reconciler.options.readsUnverifiedDetailsAlone {
            for index in parts.indices {
                parts[index].findings.outstanding = try await reconciler.mirror.outstandingDetails(of: mappings[index])
                try await parts[index].confirm(&calls)
            }
            return
        }
        let isWhole = try await list(mappings, &parts, atMost: pages)
        for index in parts.indices {
            // What was not listed may be on the pages that were not read.
            if isWhole {
                try await parts[index].findExtras()
            } else {
                parts[index].findings.failure = """
                    The list has grown beyond the announced \(pages) pages. Run zohosync sync, which learns its length, \
                    and compare again.
                    """
            }
            await reconciler.onEvent(
                .listed(
                    entity: mappings[index].entity.name, records: parts[index].findings.listed,
                    suspects: parts[index].suspects.count))
            try await parts[index].confirm(&calls)
        }
    }

    /// Compares the pages of the list as they come.
    ///
    /// - Returns: whether the list was read to its end.
    private func list(
        _ mappings: [EntityMapping], _ parts: inout [EntityComparison], atMost ceiling: Int
    ) async throws -> Bool {
        let module = mappings[0].entity.module
        var options = SyncOptions()
        options.mode = .full
        // The length is known well enough without the total, for which a module that reports none would be asked twice.
        let plan = ListPlan(
            module, mappings, options: options, cursors: mappings.map { Cursor(entity: $0.entity.name) },
            honoursModifiedFilter: false, now: reconciler.mirror.now())
        let runs = parts.map(\.run)
        let client = reconciler.client.counted(by: calls.counter)
        var pages = PagePlan(expectedCount: cost.records[module.path])
        var asked = 0
        try await withThrowingTaskGroup(of: (MappedPage, Bool).self) { group in
            var underWay = 0
            func proceed() {
                while underWay < client.inFlight, asked < ceiling, let number = pages.next() {
                    asked += 1
                    underWay += 1
                    group.addTask { [options] in
                        let page = try await client.page(number, of: plan.request)
                        return (MappedPage(page, plan, options, runs: runs), page.hasMore)
                    }
                }
            }
            proceed()
            while let (page, hasMore) = try await group.next() {
                underWay -= 1
                pages.received(page.number, hasMore: hasMore, total: nil)
                await reconciler.onEvent(.page(module: module.path, number: page.number))
                proceed()
                for index in parts.indices { try await parts[index].take(page.batches[index]) }
            }
        }
        return pages.isComplete
    }

    private mutating func finish(
        _ part: inout EntityComparison, _ failure: (any Error)?, isFirst: Bool
    ) async throws {
        let mirror = reconciler.mirror
        if isFirst { part.findings.calls = calls.counter.take() }
        callsMade += part.findings.calls
        if let failure { part.findings.failure = part.findings.failure ?? "\(failure)" }
        let isAbsent =
            (failure as? ZohoBooksError)?.kind == .moduleUnavailable && reconciler.options.excusesMissingModules
        if isAbsent {
            // A module that the organisation does not use is no difference, unless the mirror has rows of it.
            part.findings.failure =
                part.rows == 0
                ? nil : "Zoho says that the module is not enabled, and the mirror holds \(part.rows) rows of it."
        }
        if !isAbsent || part.rows > 0 { try await part.keepStanding() }
        let findings = part.findings
        var run = part.run
        run.progress.fetched = findings.listed
        run.progress.calls = findings.calls
        run.progress.details = findings.detailsCompared
        let state: Run.State =
            switch failure {
            case nil: .completed
            case is ShortOfCalls: .partial
            case is CancellationError: .interrupted
            case let error as ZohoBooksError where error.kind == .cancelled: .interrupted
            case let error as ZohoBooksError:
                switch error.kind {
                case .quota, .allowance: .partial
                default: isAbsent ? .completed : .failed
                }
            default: .failed
            }
        let found = Reconciliation(
            runID: run.id, entity: run.entity, state: findings.state, startedAt: run.startedAt, endedAt: mirror.now(),
            listed: findings.listed, rowsCompared: findings.rowsCompared, detailsCompared: findings.detailsCompared,
            calls: findings.calls, drift: findings.json(isRepairing: reconciler.options.repairs),
            note: findings.note)
        let ended = run
        try await uncancelled {
            try await mirror.finish(ended, state, error: findings.note)
            try await mirror.record(found)
        }
        results.append((run.entity, findings))
        await reconciler.onEvent(.ended(entity: run.entity, findings))
    }
}

/// The day's calls that are left are kept for syncs.
private struct ShortOfCalls: Error, CustomStringConvertible {
    let description: String
}
