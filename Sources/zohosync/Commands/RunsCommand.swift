import ArgumentParser
import Catalog
import Database
import Foundation
import Mirror
import Server
import Sync

struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "Lists the newest runs with what came of them, and takes runs back.",
        subcommands: [ListRuns.self, UndoRuns.self], defaultSubcommand: ListRuns.self)
}

struct ListRuns: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the newest runs with what came of them.")

    @Argument(help: "Only runs of this entity.")
    var entity: EntityName?

    @Option(help: "How many at most.")
    var limit = 20

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is a number from 1.") }
    }

    func run() async throws {
        let settings = try await Settings(file: common.config)
        let runs = try await Installation.with(
            settings, databaseURL: common.databaseURL, to: .look
        ) { try await $0.mirror.runs(entity: entity?.name, limit: limit) }
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

struct UndoRuns: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Takes back what runs changed in the mirror.",
        discussion: """
            What a run inserted is removed, what it changed has its former values again, what it deleted is back. A \
            record that somebody else has changed since stays as it is. The next sync looks at everything again. Works \
            whichever organisation is configured.
            """)

    @Argument(help: "The runs, as zohosync runs shows them; the newest is taken back first.")
    var ids: [Int64]

    @Flag(help: "Show what would be done, and do nothing.")
    var dryRun = false

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let settings = try await Settings(file: common.config)
        let isRehearsal = dryRun
        let wanted = Set(ids).sorted(by: >)
        let documents = try await Installation.with(
            settings, databaseURL: common.databaseURL, to: .amend
        ) { installation in
            try await cancelledBySignals {
                let undo = RunUndo(
                    mirror: installation.mirror, holder: Holder.current, isDead: { Holder.isDead($0) })
                var documents: [UndoDocument] = []
                for id in wanted {
                    let before = Set(documents.map(\.run))
                    let report = try await undo.undo(id, isRehearsal: isRehearsal, assuming: before)
                    documents.append(UndoDocument(id, report, isRehearsal))
                }
                return documents
            }
        }
        if common.json { return print(documents.json(indented: true)) }
        var rows = [["run", "removed", "reverted", "undeleted", "deleted again", "left alone", "dead letters closed"]]
        for document in documents {
            rows.append([
                String(document.run), document.removed.grouped, document.reverted.grouped, document.undeleted.grouped,
                document.deletedAgain.grouped, document.leftAlone.grouped, document.deadLettersClosed.grouped,
            ])
        }
        print(TextTable(rows).lines.joined(separator: "\n"))
        if isRehearsal { print("Nothing was changed. Run it without --dry-run to do it.") }
    }
}

/// What taking back a run did or would do, as JSON for machines.
private struct UndoDocument: Encodable, Sendable {
    let run: Int64
    let dryRun: Bool
    let removed: Int
    let reverted: Int
    let undeleted: Int
    let deletedAgain: Int
    let leftAlone: Int
    let deadLettersClosed: Int

    init(_ run: Int64, _ report: UndoReport, _ isRehearsal: Bool) {
        self.run = run
        dryRun = isRehearsal
        removed = report.removed
        reverted = report.reverted
        undeleted = report.undeleted
        deletedAgain = report.deletedAgain
        leftAlone = report.leftAlone
        deadLettersClosed = report.lettersClosed
    }
}
