import ArgumentParser
import Database
import Foundation
import Mirror
import Server
import ZohoBooks

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows what the mirror holds, how current it is, and how many calls are left.",
        discussion: "Reads only the mirror and makes no calls. zohosync doctor checks what can go wrong.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let settings = try await Settings(file: common.config)
        let limits = try settings.limits()
        let status = try await Installation.with(
            settings, databaseURL: common.databaseURL, to: .read
        ) { installation in
            let budget = try await MirrorCallLedger(installation.mirror, limits: limits).snapshot(at: Date())
            return try await StatusDocument(of: installation.mirror, budget: budget)
        }
        Console.print(common.json ? status.json(indented: true) : Self.text(status))
    }

    private static func text(_ status: StatusDocument) -> String {
        var rows = [
            ["entity", "rows", "deleted", "details outstanding", "last listed", "modified through", "last run"]
        ]
        for entity in status.entities {
            rows.append([
                entity.entity, entity.rows.grouped, entity.deletedRows.grouped, entity.detailsOutstanding.grouped,
                seconds(entity.cursor.listedAt), seconds(entity.cursor.modifiedThrough),
                entity.lastRun.map { "\($0.id) \($0.state)" } ?? "-",
            ])
        }
        var lines = TextTable(rows).lines
        lines.append(calls(status.budget))
        return lines.joined(separator: "\n")
    }

    private static func calls(_ budget: BudgetDocument) -> String {
        var left: [String] = []
        if let minute = budget.remainingThisMinute { left.append("\(minute.grouped) this minute") }
        if let day = budget.remainingToday {
            left.append("\(day.grouped)\(budget.dailyLimit.map { " of \($0.grouped)" } ?? "") today")
        }
        // What the day has left is known from an answer of Zoho's alone, and no longer once its calls have returned.
        if left.isEmpty { return "How many calls are left is known only after the next call." }
        let returns = budget.returnsAt.map { "; the daily allowance resets at \(seconds($0))" } ?? ""
        return "Calls left: \(left.joined(separator: ", "))\(returns)."
    }

    private static func seconds(_ instant: String?) -> String {
        instant.flatMap { Timestamp.instant($0) }.map { Timestamp.seconds($0) } ?? "-"
    }
}
