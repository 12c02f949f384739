import Database
package import Mirror

/// A run as JSON for machines.
package struct RunDocument: Encodable, Sendable {
    package let id: Int64
    package let entity: String
    package let kind: String
    package let state: String
    package let startedAt: String
    @Nullable package private(set) var finishedAt: String?
    package let fetched: Int
    package let counts: [String: Int]
    package let skipped: Int
    package let calls: Int
    package let pages: Int
    package let details: Int
    @Nullable package private(set) var detailsOutstanding: Int?
    package let listMilliseconds: Int
    package let detailMilliseconds: Int
    package let fieldFaults: [String: Int]
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
