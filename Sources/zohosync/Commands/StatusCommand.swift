import ArgumentParser
import Database
import Foundation
import Mirror
import Server
import ZohoBooks

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows what the mirror holds, up to when, and which calls are left.",
        discussion: "Reads the mirror alone and makes no call. zohosync doctor looks at what can go wrong.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let settings = try await Settings(file: common.config)
        let limits = try settings.limits()
        let status = try await Installation.with(
            settings, databaseURL: common.databaseURL, to: .look
        ) { installation in
            let budget = try await MirrorCallLedger(installation.mirror, limits: limits).snapshot(at: Date())
            return try await StatusDocument(of: installation.mirror, budget: budget)
        }
        print(common.json ? status.json(indented: true) : Self.text(status))
    }

    private static func text(_ status: StatusDocument) -> String {
        var rows = [["entity", "rows", "deleted", "details lacking", "last listed", "modified through", "last run"]]
        for entity in status.entities {
            rows.append([
                entity.entity, entity.rows.grouped, entity.deletedRows.grouped, entity.detailsOutstanding.grouped,
                seconds(entity.cursor.listedAt), seconds(entity.cursor.modifiedThrough),
                entity.lastRun.map { "\($0.id) \($0.state)" } ?? "-",
            ])
        }
        var lines = TextTable(rows).lines
        let budget = status.budget
        if let left = budget.remainingToday {
            let limit = budget.dailyLimit.map { " of \($0.grouped)" } ?? ""
            let returns = budget.returnsAt.map { "; they return at \(seconds($0))" } ?? ""
            lines.append("\(left.grouped)\(limit) calls are left today\(returns).")
        }
        return lines.joined(separator: "\n")
    }

    private static func seconds(_ instant: String?) -> String {
        instant.flatMap { Timestamp.instant($0) }.map { Timestamp.seconds($0) } ?? "-"
    }
}
