import ArgumentParser
import Catalog
import Database
import Foundation
import Mirror
import Server

struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "Lists the newest runs with what came of them.")

    @Argument(help: "Only runs of this entity.")
    var entity: String?

    @Option(help: "How many.")
    var limit = 20

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let settings = try await Settings(file: common.config)
        let runs = try await Installation.with(
            settings, databaseURL: common.databaseURL, to: .look
        ) { try await $0.mirror.runs(entity: entity, limit: limit) }
        if common.json {
            print(runs.map { RunDocument($0) }.json(indented: true))
            return
        }
        var rows = [["run", "entity", "kind", "state", "started", "fetched", "changed", "failed", "calls", "note"]]
        for run in runs {
            rows.append([
                String(run.id), run.entity, run.kind.rawValue, run.state.rawValue, Timestamp.seconds(run.startedAt),
                run.progress.fetched.grouped, run.progress.changed.grouped, run.progress[.failed].grouped,
                run.progress.calls.grouped, run.lastError ?? "",
            ])
        }
        print(TextTable(rows).lines.joined(separator: "\n"))
    }
}
