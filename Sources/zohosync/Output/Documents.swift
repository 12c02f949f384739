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
