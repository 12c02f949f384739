import Catalog
import Mirror

/// One entity while it is compared: its list with its rows, then suspects by themselves.
struct EntityComparison {
    let mapping: EntityMapping
    var run: Run
    var findings = Findings()
    let reconciler: Reconciler
    /// How many rows the mirror had.
    let rows: Int
    /// Ids that seem to differ, in the order in which they were found.
    private(set) var suspects: [String] = []
    /// Ids that seem equal and whose details are compared all the same.
    private(set) var samples: [String] = []
    /// Suspects that the list did not show.
    private(set) var extras: Set<String> = []
    /// What the list says of suspects and their rows do not hold, by the position of the column.
    private(set) var said: [String: [Int: FieldValue]] = [:]
    /// Whether the pass has found the mirror to differ, or the list to have changed while it was read.
    var isUnsettled = false
    /// Ids whose details were compared.
    var compared: Set<String> = []
    /// Ids that are confirmed to be gone, of rows that were there.
    var gone: Set<String> = []
    /// Ids of which ``Findings/moved`` speaks.
    var moved: Set<String> = []
    private var duplicated: Set<String> = []
    private var pass = 0
    private var listed: Set<String> = []
    private var rowsOfPass = 0
    private var eligible = 0
    /// When the list that is compared was begun, in microseconds since 1970.
    private var listedAt: Int64 = 0

    /// Rows that are looked up at a time.
    private static let lookup = 5_000

    /// - Parameter rows: how many the mirror has.
    init(_ mapping: EntityMapping, _ run: Run, _ reconciler: Reconciler, rows: Int) {
        self.mapping = mapping
        self.run = run
        self.reconciler = reconciler
        self.rows = rows
    }

    /// Begins with the list, or begins anew after the last pass has put right what it found.
    mutating func beginPass() {
        pass += 1
        listedAt = reconciler.mirror.now()
        (listed, suspects, samples, extras, said) = ([], [], [], [], [:])
        rowsOfPass = 0
        isUnsettled = false
        // What they count is found again where it still holds.
        findings.unconfirmed = 0
        findings.outstanding = 0
    }

    /// Compares a page's records with their rows.
    mutating func take(_ batch: Batch) async throws {
        for rejected in batch.rejected {
            guard let id = rejected.id else {
                if pass == 1 { findings.add([Drift("", .unreadable, isRepaired: false)]) }
                continue
            }
            if listed.insert(id).inserted { suspects.append(id) }
        }
        var fresh: [MappedRecord] = []
        for record in batch.records {
            if listed.insert(record.id).inserted {
                fresh.append(record)
            } else if duplicated.insert(record.id).inserted {
                findings.duplicates.append(record.id)
            }
        }
        findings.listed = max(findings.listed, listed.count)
        guard !fresh.isEmpty else { return }
        let comparisons = try await reconciler.mirror.compare(fresh, of: mapping)
        rowsOfPass += fresh.count
        findings.rowsCompared = max(findings.rowsCompared, rowsOfPass)
        for record in fresh {
            switch comparisons[record.id] {
            case .same(let detail): consider(record.id, detail)
            case .suspect(let news):
                suspects.append(record.id)
                if !news.isEmpty { said[record.id] = news }
            case nil: suspects.append(record.id)
            }
        }
    }

    /// Draws a fair sample from a list whose length is not known.
    private mutating func consider(_ id: String, _ detail: Comparison.Detail) {
        switch detail {
        case .present: break
        case .unsettled: return suspects.append(id)
        // A change is known that the mirror does not show, and its share of a call is little to see it.
        case .outdated where mapping.entity.module.detail.size > 1: return suspects.append(id)
        case .outdated, .lacking:
            guard reconciler.options.isDeep else {
                findings.outstanding += 1
                return
            }
        }
        // Later passes look for what has changed meanwhile.
        guard pass == 1 else { return }
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

    /// Finds the rows that the whole list does not show.
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
        // Reading so many to be told the same would be calls for nothing.
        guard allowsDeletions(of: found) else { return }
        extras = Set(found)
        suspects += found
    }

    /// Whether rows may be taken for deleted; asks a person where they are too many, with those that are gone already.
    mutating func allowsDeletions(of ids: [String]) -> Bool {
        let all = gone.union(ids).count
        if ids.isEmpty || reconciler.options.allowsDeletions(all, of: rows) { return true }
        findings.undecided = max(findings.undecided, ids.count)
        findings.question = DeletionBound.question(all, of: rows, entity: mapping.entity.name)
        return false
    }
}
