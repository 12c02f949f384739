import Catalog
import Foundation
import Mirror
import ZohoBooks

/// One entity while it is compared.
struct EntityComparison {
    let mapping: EntityMapping
    var run: Run
    var findings = Findings()
    /// Ids that seem to differ, in the order in which they were found.
    private(set) var suspects: [String] = []
    private let reconciler: Reconciler
    private let rows: Int
    private var listed: Set<String> = []
    /// Ids that seem equal and whose details are compared all the same.
    private var samples: [String] = []
    private var eligible = 0
    /// Suspects that the list did not show.
    private var extras: Set<String> = []
    /// When the list that is compared was begun, in microseconds since 1970.
    private var listedAt: Int64
    private var driftBefore = 0

    /// Whether the last pass found the mirror to differ.
    var hasDrifted: Bool { findings.drift.count > driftBefore }

    /// Rows that are looked up at a time.
    private static let lookup = 5_000
    /// Detail calls that are made side by side.
    private static let concurrency = 4

    /// - Parameter rows: how many the mirror has.
    init(_ mapping: EntityMapping, _ run: Run, _ reconciler: Reconciler, rows: Int) {
        self.mapping = mapping
        self.run = run
        self.reconciler = reconciler
        self.rows = rows
        listedAt = run.startedAt
    }

    /// Begins anew, after the last pass has put right what it found.
    mutating func beginPass() {
        listed = []
        suspects = []
        samples = []
        extras = []
        listedAt = reconciler.mirror.now()
        driftBefore = findings.drift.count
    }

    // MARK: - The list

    /// Compares a page's records with their rows.
    mutating func take(_ batch: Batch) async throws {
        findings.listed += batch.records.count + batch.rejected.count
        for rejected in batch.rejected {
            guard let id = rejected.id else {
                findings.drift.append(Drift("", .unreadable, isRepaired: false))
                continue
            }
            if listed.insert(id).inserted { suspects.append(id) }
        }
        var fresh: [MappedRecord] = []
        for record in batch.records {
            if listed.insert(record.id).inserted { fresh.append(record) } else { findings.duplicates += 1 }
        }
        guard !fresh.isEmpty else { return }
        let comparisons = try await reconciler.mirror.compare(fresh, of: mapping)
        findings.rowsCompared += fresh.count
        for record in fresh {
            switch comparisons[record.id] {
            case .same(hasDetail: true): consider(record.id)
            case .same(hasDetail: false): break
            case .suspect, nil: suspects.append(record.id)
            }
        }
    }

    /// Draws a fair sample from a list whose length is not known.
    private mutating func consider(_ id: String) {
        // Later passes look for what has changed meanwhile.
        guard driftBefore == 0 else { return }
        if reconciler.options.isDeep {
            samples.append(id)
            return
        }
        eligible += 1
        if samples.count < reconciler.options.sample {
            samples.append(id)
        } else if case let slot = Int(reconciler.random() * Double(eligible)), slot < samples.count {
            samples[slot] = id
        }
    }

    /// Finds the rows that the list does not show.
    mutating func findExtras() async throws {
        var found: [String] = []
        var after: Int64 = 0
        while true {
            // What a webhook brought since the list began need not be in it.
            let (ids, last) = try await reconciler.mirror.presentIDs(
                of: mapping, observedBefore: listedAt, after: after, limit: Self.lookup)
            found += ids.filter { !listed.contains($0) }
            guard let last else { break }
            after = last
        }
        if found.count > reconciler.options.deletionBound(rows: rows) {
            findings.unconfirmed += found.count
            findings.needsConsent = true
            findings.note = """
                \(found.count) of \(rows) rows are not in Zoho's list any more. That is too many to be taken for deleted \
                without a person: look into Zoho Books and at ZOHO_ORGANIZATION_ID; if they are gone indeed, run \
                zohosync verify \(mapping.entity.name) --repair --allow-mass-deletion.
                """
            return
        }
        extras = Set(found)
        suspects += found
    }

    // MARK: - Details

    /// Reads every suspect, and the sample, by itself, and says or repairs what differs.
    ///
    /// - Parameter allowance: calls that may be spent; what is left afterwards.
    mutating func confirm(_ counter: CallCounter, allowance: inout Int) async throws {
        let reader = DetailReader(
            client: reconciler.client.counted(by: counter), module: mapping.entity.module, now: reconciler.mirror.now)
        var queue = suspects[...] + samples[...]
        let suspected = suspects.count
        var read = 0
        try await withThrowingTaskGroup(of: (ids: [String], reserved: Int, answer: DetailAnswer).self) { group in
            var underWay = 0
            func proceed() {
                while underWay < Self.concurrency, !queue.isEmpty {
                    let ids = reader.nextGroup(&queue, allowance: allowance)
                    guard !ids.isEmpty else { return }
                    let reserved = reader.worstCost(of: ids)
                    allowance -= reserved
                    underWay += 1
                    group.addTask { (ids, reserved, try await reader.answer(to: ids)) }
                }
            }
            proceed()
            while let (ids, reserved, answer) = try await group.next() {
                underWay -= 1
                allowance += reserved - reader.cost(of: ids, answer)
                read += ids.count
                try await judge(answer)
                proceed()
            }
        }
        findings.unconfirmed += max(0, suspected - read)
        if findings.unconfirmed > 0, findings.note == nil {
            findings.note = "No calls were left to confirm \(findings.unconfirmed) of the records that seem to differ."
        }
    }

    private mutating func judge(_ answer: DetailAnswer) async throws {
        let mirror = reconciler.mirror
        let repairs = reconciler.options.repairs
        findings.detailsCompared += answer.records.count
        var batch = Batch(mapping, origin: .run(run.id))
        // A contact that has become a vendor is gone as a customer.
        var gone = answer.gone
        var goneAt = answer.goneAt
        for record in answer.records {
            let observedAt = Int64(record.observedAt.timeIntervalSince1970 * 1_000_000)
            if (try? mapping.owns(record.json)) ?? true {
                batch.add(record.json, shape: .detail, observedAt: observedAt)
            } else if let id = mapping.id(of: record.json) {
                gone.append(id)
                goneAt = min(goneAt ?? observedAt, observedAt)
            }
        }
        let candidate = batch
        let result = try await uncancelled {
            repairs ? try await mirror.apply(candidate) : try await mirror.rehearse(candidate)
        }
        let tables = Set(mapping.children.map(\.child.table))
        findings.drift += result.changes.map { Drift($0, childTables: tables, isRepaired: repairs) }
        findings.drift += result.refused.map { Drift($0, .unreadable, isRepaired: false) }
        let changed = Set(result.changes.map(\.zohoID)).union(result.refused)
        findings.moved += batch.records.count { extras.contains($0.id) && !changed.contains($0.id) }
        if repairs { run.progress.add(result) }

        let present = try await mirror.present(gone, of: mapping)
        findings.drift += present.sorted().map { Drift($0, .extra, isRepaired: repairs) }
        guard repairs, !present.isEmpty, let goneAt else { return }
        let (mapping, origin) = (mapping, batch.origin)
        let deleted = try await uncancelled {
            try await mirror.markDeleted(Array(present), of: mapping, observedAt: goneAt, origin: origin)
        }
        run.progress.counts[.deleted, default: 0] += deleted
    }
}

extension DetailReader {
    /// Takes the ids of the next call from a queue; none where the allowance does not reach.
    fileprivate func nextGroup(_ queue: inout ArraySlice<String>, allowance: Int) -> [String] {
        let size: Int =
            switch module.detail {
            case .single: min(1, allowance)
            case .itemDetails(let size): min(size, allowance - 1)
            }
        guard size > 0 else { return [] }
        let ids = Array(queue.prefix(size))
        queue.removeFirst(ids.count)
        return ids
    }

    /// The calls that reading some records takes where none of them is found at once.
    fileprivate func worstCost(of ids: [String]) -> Int {
        if case .itemDetails = module.detail { ids.count + 1 } else { ids.count }
    }

    /// The calls that reading some records has taken.
    fileprivate func cost(of ids: [String], _ answer: DetailAnswer) -> Int {
        if case .itemDetails = module.detail { 1 + answer.gone.count } else { ids.count }
    }
}
