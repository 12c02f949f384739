import Catalog
import Mirror

/// One entity while it is compared: first its list with its rows, then suspects individually.
struct EntityComparison {
    let mapping: EntityMapping
    var run: Run
    var findings = Findings()
    let reconciler: Reconciler
    /// How many rows the mirror had.
    let rows: Int
    /// What the last comparison found and nobody has repaired, by id.
    private let standing: [String: Drift]
    /// Rows whose details are unverified since this comparison or an earlier one.
    var unverified: UnverifiedDetails?
    /// Ids that seem to differ, in the order in which they were found.
    private(set) var suspects: [String] = []
    /// Ids that seem equal and whose details are compared nevertheless.
    private(set) var samples: [String] = []
    /// Ids that seem equal.
    private var alike: [String] = []
    /// What the list does not show of each record of the sample: columns and child tables.
    private(set) var hidden: [String: Set<String>] = [:]
    /// Ids that were read individually, whatever came of it.
    var answered: Set<String> = []
    /// Ids that Zoho refused to give individually.
    var refused: Set<String> = []
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
    /// Ids that are in ``Findings/moved`` already.
    var moved: Set<String> = []
    /// Ids of rows that a person has to decide about.
    private var undecided: Set<String> = []
    private var duplicated: Set<String> = []
    private var pass = 0
    private var listed: Set<String> = []
    /// Whether the list was read to its end.
    private var isListWhole = false
    private var rowsOfPass = 0
    private var eligible = 0
    /// When the list that is compared was begun, in microseconds since 1970.
    private var listedAt: Int64 = 0

    /// Rows that are looked up at a time.
    private static let lookup = 5_000

    /// - Parameters:
    ///   - rows: how many the mirror has.
    ///   - last: the last comparison of the entity.
    init(_ mapping: EntityMapping, _ run: Run, _ reconciler: Reconciler, rows: Int, last: Reconciliation?) {
        self.mapping = mapping
        self.run = run
        self.reconciler = reconciler
        self.rows = rows
        standing = Dictionary((last?.open ?? []).map { ($0.zohoID, $0) }, uniquingKeysWith: { $1 })
        unverified = last?.unverified
    }

    /// Begins the first pass, or another one after the last has repaired what it found.
    mutating func beginPass() {
        pass += 1
        listedAt = reconciler.mirror.now()
        (listed, suspects, samples, extras, said) = ([], [], [], [], [:])
        rowsOfPass = 0
        isListWhole = false
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
            case .same(let detail): consider(record, detail)
            case .suspect(let news):
                suspects.append(record.id)
                if !news.isEmpty { said[record.id] = news }
            case nil: suspects.append(record.id)
            }
        }
    }

    /// Adds a record that seems equal to the suspects or to the sample, which is fair although the length of the list
    /// is not known.
    private mutating func consider(_ record: MappedRecord, _ detail: Comparison.Detail) {
        let id = record.id
        // A difference that was found in details before has not ended because a list does not show it.
        if standing[id] != nil, !answered.contains(id) { return suspects.append(id) }
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
        alike.append(id)
        if reconciler.options.isDeep {
            samples.append(id)
            return
        }
        eligible += 1
        if samples.count < reconciler.options.sample {
            samples.append(id)
        } else if case let slot = Int(reconciler.random() * Double(eligible)), slot < samples.count {
            hidden[samples[slot]] = nil
            samples[slot] = id
        } else {
            return
        }
        let unsaid = zip(record.cells, mapping.columns).filter { $0 == nil || $1.presence == .preview }
        hidden[id] = Set(unsaid.map { $0.1.column } + mapping.children.map(\.child.table))
    }

    /// Finds the rows that the whole list does not show.
    mutating func findExtras() async throws {
        isListWhole = true
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
        // Reading so many individually would only confirm it, and waste calls.
        guard allowsDeletions(of: found) else {
            undecided = Set(found)
            findings.undecided = max(findings.undecided, found.count)
            return
        }
        extras = Set(found)
        suspects += found
    }

    /// Whether rows may be taken for deleted; asks a person where they are too many, with those that are gone already.
    ///
    /// While a person is asked, none is.
    mutating func allowsDeletions(of ids: [String]) -> Bool {
        guard !ids.isEmpty else { return true }
        let all = gone.union(undecided).union(ids).count
        if findings.question == nil, reconciler.options.allowsDeletions(all, of: rows) { return true }
        findings.question = DeletionBound.question(all, of: rows, entity: mapping.entity.name)
        return false
    }

    // MARK: - What is not known to be equal

    /// Keeps what the last comparison found and this one did not check: seeing less clears nothing.
    mutating func keepStanding() async throws {
        func isOpen(_ id: String) -> Bool {
            !isListWhole || listed.contains(id) || extras.contains(id) || undecided.contains(id)
        }
        findings.keep(
            standing.values.filter { !answered.contains($0.zohoID) && isOpen($0.zohoID) }
                .sorted { $0.zohoID < $1.zohoID })
        findings.unproven = try await countUnverified()
        findings.unverified = findings.unproven > 0 ? unverified : nil
        findings.detailsNotRead = alike.count { !compared.contains($0) }
    }
}
