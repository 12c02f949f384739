import Catalog
import Database
import Foundation
import Mirror
import Sync

/// The result of a sync for a person: a table, and notes below it.
struct SyncTable {
    let text: String

    init(_ report: SyncReport) {
        var rows = [
            [
                "entity", "state", "fetched", "inserted", "updated", "unchanged", "deleted", "failed", "calls",
                "seconds", "rows/s",
            ]
        ]
        for run in report.runs {
            let progress = run.progress
            let seconds = Double(progress.listMilliseconds + progress.detailMilliseconds) / 1_000
            let pace = progress.listMilliseconds > 0 ? progress.fetched * 1_000 / progress.listMilliseconds : 0
            rows.append([
                run.entity, report.isDryRun ? "dry run" : run.state.rawValue, progress.fetched.grouped,
                progress[.inserted].grouped, (progress[.updated] + progress[.restored]).grouped,
                progress[.unchanged].grouped, progress[.deleted].grouped, progress[.failed].grouped,
                progress.calls.grouped, String(format: "%.2f", seconds), pace.grouped,
            ])
        }
        var lines = TextTable(rows).lines
        for run in report.runs {
            if let error = run.lastError { lines.append("\(run.entity): \(error)") }
            if run.progress.skipped > 0 {
                lines.append("\(run.entity): \(run.progress.skipped.grouped) left out by the filters.")
            }
            if run.progress[.failed] > 0 {
                lines.append(
                    "\(run.entity): \(run.progress[.failed].grouped) could not be applied; see: zohosync dead-letters")
            }
            for (field, entry) in run.progress.faults.fields.sorted(by: { $0.key < $1.key }) {
                let values = entry.count == 1 ? "1 value" : "\(entry.count.grouped) values"
                let example = entry.examples.first.map { ", e.g. \($0.reason) in \($0.id)" } ?? ""
                lines.append("\(run.entity): \(values) of \(field) could not be read\(example).")
            }
        }
        lines += Self.rehearsed(report)
        if !report.notBegun.isEmpty { lines.append("Not started: \(report.notBegun.joined(separator: ", ")).") }
        if report.detailsOutstanding > 0 {
            lines.append(
                "\(report.detailsOutstanding.grouped) details are outstanding; the next sync reads them, newest first.")
        }
        if let returns = report.quotaReturnsAt {
            let reason =
                report.keepsCalls ? "The rest of today's calls is reserved for lists" : "Today's calls are used up"
            lines.append("\(reason). Zoho allows more at \(Timestamp.seconds(returns)).")
        }
        text = lines.joined(separator: "\n")
    }

    private static func rehearsed(_ report: SyncReport) -> [String] {
        report.runs.flatMap { run in
            let shown = report.rehearsed.filter { $0.entity == run.entity }.map(\.change)
            let rows = shown.map { change in
                let fields = change.fields.isEmpty ? "" : ": \(change.fields.joined(separator: ", "))"
                return "\(run.entity) \(change.zohoID) would be \(change.outcome.rawValue)\(fields)"
            }
            let rest = run.progress.changed - shown.count
            return rows + (shown.isEmpty || rest <= 0 ? [] : ["\(run.entity): \(rest.grouped) more"])
        }
    }
}
