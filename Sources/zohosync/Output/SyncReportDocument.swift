import Database
import Foundation
import Mirror
import Server
import Sync

/// A sync's report as JSON for machines.
struct SyncReportDocument: Encodable {
    let success: Bool
    let dryRun: Bool
    let runs: [RunDocument]
    let notBegun: [String]
    /// The first changes of each entity that a dry run would have made.
    @Nullable var changes: [Change]?
    /// Why the sync could not go on.
    @Nullable var error: String?
    let detailsOutstanding: Int
    @Nullable var quotaReturnsAt: String?
    /// From the beginning of the command to the end of the sync.
    let durationSeconds: Double
    /// The most memory that the process held at once.
    let peakMemoryKib: Int

    struct Change: Encodable {
        let entity: String
        let zohoId: String
        let outcome: String
        let fields: [String]

        init(_ rehearsed: RehearsedChange) {
            entity = rehearsed.entity
            zohoId = rehearsed.change.zohoID
            outcome = rehearsed.change.outcome.rawValue
            fields = rehearsed.change.fields
        }
    }

    init(_ report: SyncReport, duration: Duration) {
        success = report.isSuccess
        dryRun = report.isDryRun
        runs = report.runs.map { RunDocument($0) }
        notBegun = report.notBegun
        changes = report.isDryRun ? report.rehearsed.map { Change($0) } : nil
        error = report.failure.map { ExitStatus($0).message }
        detailsOutstanding = report.detailsOutstanding
        quotaReturnsAt = report.quotaReturnsAt.map { Timestamp.text($0) }
        durationSeconds = Double(duration.milliseconds) / 1_000
        var usage = rusage()
        getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
        peakMemoryKib = usage.ru_maxrss
    }
}
