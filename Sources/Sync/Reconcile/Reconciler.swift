import Catalog
package import Mirror
package import ZohoBooks

/// Compares source and mirror, and repairs the mirror where it is asked to.
///
/// Every difference that a list shows is only a suspicion: lists are old when they arrive, and records move between
/// their pages. A direct read decides.
package struct Reconciler: Sendable {
    let client: ZohoBooksClient
    private(set) var mirror: Mirror
    let options: ReconciliationOptions
    let leases: Leases
    /// In 0..<1.
    let random: @Sendable () -> Double
    let onEvent: @Sendable (ReconciliationEvent) async -> Void

    /// - Parameters:
    ///   - process: host and process, for people and for the leases.
    ///   - isDead: whether the process of this name is known to have ended.
    ///   - random: in 0..<1; draws the sample.
    package init(
        client: ZohoBooksClient, mirror: Mirror, options: ReconciliationOptions, process: String,
        isDead: @escaping @Sendable (String) -> Bool = { _ in false },
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
        onEvent: @escaping @Sendable (ReconciliationEvent) async -> Void = { _ in }
    ) {
        self.client = client
        self.mirror = mirror
        self.options = options
        self.random = random
        self.onEvent = onEvent
        leases = Leases(mirror: mirror, process: process, isDead: isDead)
    }

    /// What ``run()`` would cost, without a call.
    ///
    /// - Throws: ``SyncOptionsError``; ``DatabaseError``.
    package func cost() async throws -> ReconciliationCost {
        var cost = ReconciliationCost()
        cost.confirmations = options.confirmations
        for mappings in try options.mappings().byModule {
            guard let module = mappings.first?.entity.module else { continue }
            var present = 0
            var listed = 0
            cost.passes = options.passes
            if options.readsUnverifiedDetailsAlone {
                cost.lists[module.path] = 0
                continue
            }
            for mapping in mappings {
                let rows = try await mirror.rowCounts(of: mapping).present
                present += rows
                listed = max(listed, try await mirror.cursor(of: mapping.entity.name).listCount ?? 0)
                let details = options.isDeep ? rows : min(options.sample, rows)
                let access = try await mirror.detailAccess(of: mapping.entity.name)
                let size = DetailReader.size(of: module, client, access)
                cost.samples += (details + size - 1) / size
            }
            let count = max(present, listed)
            cost.records[module.path] = count
            cost.lists[module.path] = PagePlan.pages(for: count + count / 20) + 1
        }
        return cost
    }

    /// Calls that it may make now, on top of the announced bound; there is no further bound for a person, who has seen
    /// that one.
    func spareCalls() async throws -> Int {
        guard options.isUnattended else { return .max }
        return try await KeptCalls.spare(
            of: client.budget(), sweep: KeptCalls.sweep(of: mirror), at: mirror.now())
    }

    /// Compares, in no more calls than ``cost()`` says.
    ///
    /// - Returns: what was found, also where entities could not be compared completely; their notes say why.
    /// - Throws: ``SyncOptionsError``; ``MirrorError`` where a sync of one of the entities runs; whatever makes it
    ///   pointless to go on. The runs are recorded first.
    package func run() async throws -> ReconciliationReport {
        let mappings = try options.mappings()
        let cost = try await cost()
        await onEvent(.announced(cost))
        return try await leases.hold(mappings.map { Lease.name(of: $0.entity.name) }) { holder, mirror in
            var fenced = self
            fenced.mirror = mirror
            var session = ReconciliationSession(fenced, cost, holder: holder)
            // What a record repeats of other records is compared after those.
            let modules = mappings.byModule
            for module in modules where !module.repeatsOthers { try await session.compare(module) }
            for module in modules where module.repeatsOthers { try await session.compare(module) }
            return session.report
        }
    }
}

/// How far a comparison has got.
package enum ReconciliationEvent: Sendable {
    case announced(ReconciliationCost)
    /// A page of a list has arrived; the next one may not have been asked for.
    case page(module: String, number: Int)
    /// A list has ended; `suspects` of the entity's records seem to differ.
    case listed(entity: String, records: Int, suspects: Int)
    case ended(entity: String, Findings)
}

extension [EntityMapping] {
    /// The entities in groups that are listed together, in their order.
    var byModule: [[EntityMapping]] {
        var groups: [[EntityMapping]] = []
        for mapping in self {
            if let index = groups.firstIndex(where: { $0[0].entity.module.path == mapping.entity.module.path }) {
                groups[index].append(mapping)
            } else {
                groups.append([mapping])
            }
        }
        return groups
    }

    /// Whether what they hold follows from other entities' records.
    fileprivate var repeatsOthers: Bool { contains { !$0.entity.repeated.isEmpty } }
}
