import Catalog

/// What a run is to do, and how far it got.
package struct Run: Sendable, Hashable {
    /// What a run is for.
    package enum Kind: String, Sendable, Hashable {
        /// Reads and applies everything.
        case full
        /// Reads what changed since the cursor, where the module can say so.
        case incremental
        /// Compares source and mirror, and repairs where it is asked to.
        case reconciliation
        /// Takes back what another run changed.
        case undo
    }

    /// The states of a run; docs/states.md draws them.
    ///
    /// `running` becomes exactly one of the others, and none of those becomes another one. A run whose process died
    /// becomes `interrupted` when the next one begins.
    package enum State: String, Sendable, Hashable, CaseIterable {
        case running
        case completed
        /// The day's calls were not enough for the rest; the next run continues.
        case partial
        case interrupted
        case failed
    }

    /// Ascending in the order in which runs began; 0 for a dry run, which is not recorded.
    package let id: Int64
    package let entity: String
    package let kind: Kind
    package var state: State
    /// Microseconds since 1970.
    package let startedAt: Int64
    /// Microseconds since 1970; nil while it runs.
    package var finishedAt: Int64?
    package var progress: Progress
    /// Why it ended as it did, for a person; nil where there is nothing to say.
    package var lastError: String?

    package init(
        id: Int64, entity: String, kind: Kind, state: State, startedAt: Int64, finishedAt: Int64? = nil,
        progress: Progress = Progress(), lastError: String? = nil
    ) {
        self.id = id
        self.entity = entity
        self.kind = kind
        self.state = state
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.progress = progress
        self.lastError = lastError
    }

    /// What a run has done so far.
    package struct Progress: Sendable, Hashable {
        /// Records that lists brought, those included that a filter left out.
        package var fetched = 0
        /// How many records had each outcome; those without any are missing.
        package var counts: [Outcome: Int] = [:]
        /// Records that a filter of this run left out.
        package var skipped = 0
        /// Calls to Zoho, repeated ones included; those of a module count for its first entity.
        package var calls = 0
        /// Pages of lists; those of a module count for its first entity.
        package var pages = 0
        /// Complete records that were read, those included that turned out to be gone.
        package var details = 0
        /// Details that a later sync can read; nil before they were counted.
        package var detailsOutstanding: Int?
        /// Duration of the list phase.
        package var listMilliseconds = 0
        /// Duration of the steps that read details.
        package var detailMilliseconds = 0
        /// Values of optional fields that could not be read.
        package var faults = FaultSummary()

        package init() {}

        /// How many records had this outcome.
        package subscript(_ outcome: Outcome) -> Int { counts[outcome] ?? 0 }

        /// How often a row was changed.
        package var changed: Int { self[.inserted] + self[.updated] + self[.deleted] + self[.restored] }

        /// Adds what one batch did.
        package mutating func add(_ result: ApplyResult) {
            for (outcome, number) in result.counts { counts[outcome, default: 0] += number }
            for (id, fault) in result.faults { faults.add(fault, of: id) }
        }

        /// Adds what another commit of the same run did; times are the later ones.
        package mutating func add(_ other: Progress) {
            fetched += other.fetched
            for (outcome, number) in other.counts { counts[outcome, default: 0] += number }
            skipped += other.skipped
            calls += other.calls
            pages += other.pages
            details += other.details
            detailsOutstanding = other.detailsOutstanding ?? detailsOutstanding
            listMilliseconds = max(listMilliseconds, other.listMilliseconds)
            detailMilliseconds = max(detailMilliseconds, other.detailMilliseconds)
            faults.add(other.faults)
        }
    }
}

/// The values of optional fields that a run could not read: a count and the first few cases for each field.
package struct FaultSummary: Sendable, Hashable {
    /// The values of one field that could not be read.
    package struct Entry: Sendable, Hashable {
        /// How many there were, those beyond the examples included.
        package var count = 0
        /// Up to three ids with the reason.
        package var examples: [(id: String, reason: String)] = []

        package static func == (left: Entry, right: Entry) -> Bool {
            left.count == right.count && left.examples.map(\.id) == right.examples.map(\.id)
        }

        package func hash(into hasher: inout Hasher) { hasher.combine(count) }
    }

    /// By column, with its table where it belongs to a child: `invoice_line_items.quantity`.
    package private(set) var fields: [String: Entry] = [:]

    package init() {}

    init(_ entries: [(field: String, entry: Entry)]) {
        fields = Dictionary(entries.map { ($0.field, $0.entry) }, uniquingKeysWith: { $1 })
    }

    /// How many values could not be read.
    package var count: Int { fields.values.reduce(0) { $0 + $1.count } }

    mutating func add(_ fault: FieldFault, of id: String) {
        var entry = fields[fault.field] ?? Entry()
        entry.count += 1
        if entry.examples.count < 3 { entry.examples.append((id, fault.reason)) }
        fields[fault.field] = entry
    }

    mutating func add(_ other: FaultSummary) {
        for (field, added) in other.fields {
            var entry = fields[field] ?? Entry()
            entry.count += added.count
            entry.examples += added.examples.prefix(max(0, 3 - entry.examples.count))
            fields[field] = entry
        }
    }
}
