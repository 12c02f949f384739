import Database
package import Mirror

/// A run as JSON for machines; its counts are those of `Run.Progress`.
package struct RunDocument: Encodable, Sendable {
    package let id: Int64
    package let entity: String
    /// `full`, `incremental`, `reconciliation` or `undo`.
    package let kind: String
    /// `running`, `completed`, `partial`, `interrupted` or `failed`.
    package let state: String
    /// In UTC, with microseconds.
    package let startedAt: String
    /// Null while it runs.
    @Nullable package private(set) var finishedAt: String?
    package let fetched: Int
    /// By outcome, 0 included.
    package let counts: [String: Int]
    package let skipped: Int
    package let calls: Int
    package let pages: Int
    package let details: Int
    /// Details that a later sync can read; null before they were counted.
    @Nullable package private(set) var detailsOutstanding: Int?
    package let listMilliseconds: Int
    package let detailMilliseconds: Int
    /// How many values of optional fields could not be read, by column.
    package let fieldFaults: [String: Int]
    /// Why it ended as it did; null where there is nothing to say.
    @Nullable package private(set) var error: String?

    package init(_ run: Run) {
        id = run.id
        entity = run.entity
        kind = run.kind.rawValue
        state = run.state.rawValue
        startedAt = Timestamp.text(run.startedAt)
        finishedAt = run.finishedAt.map { Timestamp.text($0) }
        let progress = run.progress
        fetched = progress.fetched
        counts = Dictionary(uniqueKeysWithValues: Outcome.allCases.map { ($0.rawValue, progress[$0]) })
        skipped = progress.skipped
        calls = progress.calls
        pages = progress.pages
        details = progress.details
        detailsOutstanding = progress.detailsOutstanding
        listMilliseconds = progress.listMilliseconds
        detailMilliseconds = progress.detailMilliseconds
        fieldFaults = progress.faults.fields.mapValues(\.count)
        error = run.lastError
    }
}
