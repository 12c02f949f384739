import ArgumentParser
import Catalog
import Database
import Foundation
import Mirror
import Server
import Sync

struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "Lists the newest runs and their results, and undoes runs.",
        subcommands: [List.self, Undo.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the newest runs and their results.")

        @Argument(help: "Only runs of this entity.")
        var entity: EntityName?

        @Option(help: "Maximum number to list.")
        var limit = 20

        @OptionGroup var common: CommonOptions

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit must be at least 1.") }
        }

        func run() async throws {
            let settings = try await Settings(file: common.config)
            let name = try entity?.name
            let runs = try await Installation.with(
                settings, databaseURL: common.databaseURL, to: .read
            ) { try await $0.mirror.runs(entity: name, limit: limit) }
            if common.json {
                Console.print(runs.map { RunDocument($0) }.json(indented: true))
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
            Console.print(TextTable(rows).lines.joined(separator: "\n"))
        }
    }

    struct Undo: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Undoes what runs changed in the mirror, or empties it.",
            discussion: """
                What a run inserted is removed, what it changed gets its former values back, and what it deleted returns. A \
                record that something else has changed since, such as a webhook, stays as it is. --all undoes everything and \
                leaves an empty mirror, which then belongs to the next organisation that is synchronised. The next sync \
                checks everything again. Works whichever organisation is configured.
                """)

        @Argument(help: "The ids of the runs, as zohosync runs shows them; the newest is undone first.")
        var ids: [Int64] = []

        @Flag(help: "Undo everything, deliveries too; requires --dry-run or --yes.")
        var all = false

        @Flag(help: "Confirm that --all may empty the mirror.")
        var yes = false

        @Flag(help: "Show what would be done, without doing it.")
        var dryRun = false

        @OptionGroup var common: CommonOptions

        func validate() throws {
            guard all == ids.isEmpty else { throw ValidationError("Give the ids of runs, or --all.") }
            guard !all || dryRun != yes else {
                throw ValidationError("--all empties the mirror: use --dry-run to see what goes, then --yes.")
            }
        }

        func run() async throws {
            let settings = try await Settings(file: common.config)
            let (isRehearsal, wanted) = (dryRun, all ? nil : Set(ids).sorted(by: >))
            let documents = try await Installation.with(
                settings, databaseURL: common.databaseURL, to: .amend
            ) { installation in
                try await cancelledBySignals {
                    let undo = RunUndo(
                        mirror: installation.mirror, process: ProcessName.current, isDead: { ProcessName.isDead($0) })
                    if let wanted { return try await Self.undo(wanted, undo, isRehearsal) }
                    return try await undo.undoAll(isRehearsal: isRehearsal).map {
                        UndoDocument(entity: $0.entity, $0.report, isRehearsal: isRehearsal)
                    }
                }
            }
            if common.json { return Console.print(documents.json(indented: true)) }
            Console.print(
                TextTable(all ? Self.entityRows(documents) : Self.runRows(documents)).lines.joined(separator: "\n"))
            if dryRun {
                Console.print("Nothing was changed. Run it again \(all ? "with --yes" : "without --dry-run") to do it.")
            }
        }

        private static func undo(_ ids: [Int64], _ undo: RunUndo, _ isRehearsal: Bool) async throws -> [UndoDocument] {
            var documents: [UndoDocument] = []
            for id in ids {
                let before = Set(documents.compactMap(\.run))
                let report = try await undo.undo(id, isRehearsal: isRehearsal, assuming: before)
                documents.append(UndoDocument(run: id, report, isRehearsal: isRehearsal))
            }
            return documents
        }

        private static func runRows(_ documents: [UndoDocument]) -> [[String]] {
            [["run", "removed", "reverted", "undeleted", "deleted again", "left alone", "dead letters closed"]]
                + documents.map {
                    [
                        $0.run.map { String($0) } ?? "", $0.removed.grouped, $0.reverted.grouped, $0.undeleted.grouped,
                        $0.deletedAgain.grouped, $0.leftAlone.grouped, $0.deadLettersClosed.grouped,
                    ]
                }
        }

        private static func entityRows(_ documents: [UndoDocument]) -> [[String]] {
            [["entity", "removed", "deliveries dropped", "dead letters closed"]]
                + documents.map {
                    [
                        $0.entity ?? "", $0.removed.grouped, $0.deliveriesDropped.grouped, $0.deadLettersClosed.grouped,
                    ]
                }
        }
    }
}

/// What an undo did or would do, as JSON for machines.
private struct UndoDocument: Encodable, Sendable {
    /// Nil where everything is taken back.
    @Nullable var run: Int64?
    /// Nil where runs are taken back.
    @Nullable var entity: String?
    let dryRun: Bool
    let removed: Int
    let reverted: Int
    let undeleted: Int
    let deletedAgain: Int
    let leftAlone: Int
    let deadLettersClosed: Int
    let deliveriesDropped: Int

    init(run: Int64? = nil, entity: String? = nil, _ report: UndoReport, isRehearsal: Bool) {
        self.run = run
        self.entity = entity
        dryRun = isRehearsal
        removed = report.removed
        reverted = report.reverted
        undeleted = report.undeleted
        deletedAgain = report.deletedAgain
        leftAlone = report.leftAlone
        deadLettersClosed = report.lettersClosed
        deliveriesDropped = report.deliveriesDropped
    }
}
