import Catalog
import Database
import Foundation
import Mirror
import Sync

/// A run as JSON for machines.
struct RunDocument: Encodable {
    let id: Int64
    let entity: String
    let kind: String
    let state: String
    let startedAt: String
    let finishedAt: String?
    let fetched: Int
    let counts: [String: Int]
    let skipped: Int
    let calls: Int
    let pages: Int
    let details: Int
    let detailsOutstanding: Int?
    let listMilliseconds: Int
    let detailMilliseconds: Int
    let fieldFaults: [String: Int]
    let error: String?

    init(_ run: Run) {
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

/// A sync's report as JSON for machines.
struct SyncReportDocument: Encodable {
    let success: Bool
    let dryRun: Bool
    let runs: [RunDocument]
    let notBegun: [String]
    let detailsOutstanding: Int
    let quotaReturnsAt: String?
    /// From the beginning of the command to the end of the sync.
    let durationSeconds: Double
    /// The most memory that the process held at once.
    let peakMemoryKib: Int

    init(_ report: SyncReport, duration: Duration) {
        success = report.isSuccess
        dryRun = report.isDryRun
        runs = report.runs.map { RunDocument($0) }
        notBegun = report.notBegun
        detailsOutstanding = report.detailsOutstanding
        quotaReturnsAt = report.quotaReturnsAt.map { Timestamp.text($0) }
        durationSeconds = Double(duration.milliseconds) / 1_000
        var usage = rusage()
        getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
        peakMemoryKib = usage.ru_maxrss
    }
}

extension Encodable {
    /// The value as JSON with `snake_case` keys in a fixed order.
    var json: String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
