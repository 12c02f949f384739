import Catalog
import Mirror
import ZohoBooks

/// One comparison while it goes on: what was found so far, and the calls that are left.
struct ReconciliationSession {
    private let reconciler: Reconciler
    private let cost: ReconciliationCost
    /// Who holds the leases.
    private let holder: String
    /// Calls that may still be spent on details.
    private var detailCalls: Int
    private var results: [(entity: String, findings: Findings)] = []
    private var calls = 0
    /// Why nothing more can be read.
    private var outage: ZohoBooksError?

    init(_ reconciler: Reconciler, _ cost: ReconciliationCost, holder: String) {
        self.reconciler = reconciler
        self.cost = cost
        self.holder = holder
        detailCalls = cost.samples + cost.confirmations
    }

    var report: ReconciliationReport { ReconciliationReport(entities: results, cost: cost, calls: calls) }

    /// Compares the entities of one module.
    mutating func compare(_ mappings: [EntityMapping]) async throws {
        let mirror = reconciler.mirror
        let counter = CallCounter()
        var parts: [EntityComparison] = []
        for mapping in mappings {
            let run = try await mirror.beginRun(
                of: mapping.entity.name, kind: .reconciliation, options: reconciler.options.json,
                holder: holder)
            parts.append(
                EntityComparison(mapping, run, reconciler, rows: try await mirror.rowCounts(of: mapping).present))
        }
        var failure: (any Error)?
        do {
            if let outage { throw outage }
            for pass in 1...reconciler.options.passes {
                if pass > 1 {
                    // What was listed before it changed, or moved while it was listed, is found by another list.
                    guard parts.contains(where: { $0.hasDrifted && $0.findings.note == nil }) else { break }
                    for index in parts.indices { parts[index].beginPass() }
                }
                try await list(mappings, &parts, counter)
                for index in parts.indices {
                    try await parts[index].findExtras()
                    await reconciler.onEvent(
                        .listed(
                            entity: mappings[index].entity.name, records: parts[index].findings.listed,
                            suspects: parts[index].suspects.count))
                    try await parts[index].confirm(counter, allowance: &detailCalls)
                }
            }
        } catch {
            failure = error
        }
        for index in parts.indices { try await finish(&parts[index], failure, index == 0 ? counter : CallCounter()) }
        switch failure {
        case nil: break
        case let error as ZohoBooksError where error.kind == .cancelled: throw CancellationError()
        case let error as ZohoBooksError:
            if case .quota = error.kind {
                outage = error
            } else if error.concernsEveryCall {
                throw error
            }
        case let error?: throw error
        }
    }

    private func list(
        _ mappings: [EntityMapping], _ parts: inout [EntityComparison], _ counter: CallCounter
    ) async throws {
        let module = mappings[0].entity.module
        var options = SyncOptions()
        options.mode = .full
        let plan = ListPlan(
            module, mappings, options: options, cursors: mappings.map { Cursor(entity: $0.entity.name) },
            honoursModifiedFilter: false)
        let runs = parts.map(\.run)
        let client = reconciler.client.counted(by: counter)
        let ceiling = cost.lists[module.path] ?? 1
        var pages = PagePlan(expectedCount: nil)
        var asked = 0
        var isWhole = true
        try await withThrowingTaskGroup(of: (MappedPage, Bool, Int?).self) { group in
            var underWay = 0
            func proceed() {
                while underWay < reconciler.concurrency, let number = pages.next() {
                    guard asked < ceiling else {
                        isWhole = false
                        return
                    }
                    asked += 1
                    underWay += 1
                    var request = plan.request
                    request.wantsTotal = number == 1
                    group.addTask { [request, options] in
                        let page = try await client.page(number, of: request)
                        return (MappedPage(page, plan, options, runs: runs), page.hasMore, page.total)
                    }
                }
            }
            proceed()
            while let (page, hasMore, total) = try await group.next() {
                underWay -= 1
                pages.received(page.number, hasMore: hasMore, total: total)
                proceed()
                for index in parts.indices { try await parts[index].take(page.batches[index]) }
            }
        }
        guard isWhole else { throw ReconciliationError.grown(module: module.path, pages: ceiling) }
    }

    private mutating func finish(
        _ part: inout EntityComparison, _ failure: (any Error)?, _ counter: CallCounter
    ) async throws {
        let mirror = reconciler.mirror
        part.findings.calls += counter.take()
        calls += part.findings.calls
        if let failure { part.findings.note = part.findings.note ?? "\(failure)" }
        let isAbsent =
            (failure as? ZohoBooksError)?.kind == .moduleUnavailable && reconciler.options.excusesMissingModules
        if isAbsent { part.findings.note = nil }
        let findings = part.findings
        var run = part.run
        run.progress.fetched = findings.listed
        run.progress.calls = findings.calls
        run.progress.details = findings.detailsCompared
        let state: Run.State =
            switch failure {
            case nil: .completed
            case is CancellationError: .interrupted
            case let error as ZohoBooksError where error.kind == .cancelled: .interrupted
            case let error as ZohoBooksError:
                if case .quota = error.kind { .partial } else { isAbsent ? .completed : .failed }
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

/// Why a comparison does not go on.
package enum ReconciliationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The list has more pages than were announced.
    case grown(module: String, pages: Int)

    package var description: String {
        switch self {
        case .grown(let module, let pages):
            """
            The list of \(module) has more than the \(pages) pages that were announced. Run zohosync sync, so that its \
            length is known, and compare again.
            """
        }
    }
}

extension ReconciliationOptions {
    /// The options as they are recorded on each run.
    fileprivate var json: String {
        "{\"sample\":\(sample),\"deep\":\(isDeep),\"repair\":\(repairs),\"confirmations\":\(confirmations)}"
    }
}
