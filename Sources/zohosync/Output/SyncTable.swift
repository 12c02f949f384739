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
                "list s", "rows/s", "details s",
            ]
        ]
        for run in report.runs {
            let progress = run.progress
            rows.append([
                run.entity, report.isDryRun ? "dry run" : run.state.rawValue, progress.fetched.grouped,
                progress[.inserted].grouped, (progress[.updated] + progress[.restored]).grouped,
                progress[.unchanged].grouped, progress[.deleted].grouped, progress[.failed].grouped,
                progress.calls.grouped, Self.seconds(progress.listMilliseconds), Self.pace(progress),
                Self.seconds(progress.detailMilliseconds),
            ])
        }
        var lines = TextTable(rows).lines
        lines += Self.reasons(report)
        for run in report.runs {
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
                report.detailsOutstanding == 1
                    ? "1 detail is outstanding; the next sync reads it."
                    : "\(report.detailsOutstanding.grouped) details are outstanding; the next sync reads them, newest "
                        + "first.")
        }
        if let returns = report.quotaReturnsAt {
            let reason =
                report.keepsCalls ? "The rest of today's calls are reserved for lists" : "Today's calls are used up"
            lines.append("\(reason). Zoho allows more at \(Timestamp.seconds(returns)).")
        }
        text = lines.joined(separator: "\n")
    }

    private static func seconds(_ milliseconds: Int) -> String {
        String(format: "%.2f", Double(milliseconds) / 1_000)
    }

    /// Rows a second of the list; none where it was too short to be timed, or empty.
    private static func pace(_ progress: Run.Progress) -> String {
        guard progress.listMilliseconds > 0, progress.fetched > 0 else { return "-" }
        let pace = Double(progress.fetched) * 1_000 / Double(progress.listMilliseconds)
        return pace < 10 ? String(format: "%.1f", pace) : Int(pace).grouped
    }

    /// Why runs ended as they did, each reason once; what ended the sync itself stands below the table, as its error.
    private static func reasons(_ report: SyncReport) -> [String] {
        let failure = report.failure.map { ExitStatus($0).message } ?? ""
        var entities: [(reason: String, names: [String])] = []
        for run in report.runs {
            guard var reason = run.lastError else { continue }
            if !failure.isEmpty { reason = reason.replacing(failure, with: "see below.") }
            if let index = entities.firstIndex(where: { $0.reason == reason }) {
                entities[index].names.append(run.entity)
            } else {
                entities.append((reason, [run.entity]))
            }
        }
        return entities.map { "\($0.names.joined(separator: ", ")): \($0.reason)" }
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
