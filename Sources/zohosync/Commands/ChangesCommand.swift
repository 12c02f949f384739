import ArgumentParser
import AsyncAlgorithms
import Catalog
import Database
import Foundation
import Mirror
import Server
import Sync

struct ChangesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes", abstract: "Lists what changed in the mirror, in order, and follows it.",
        discussion: """
            Who has seen an entry never misses one with a smaller number: keep the last number, and go on with --after. \
            With --json each entry is one line, with every changed column before and after.
            """)

    @Argument(help: "Only changes of this entity.")
    var entity: String?

    @Option(help: "Only entries after this number; without it, the newest.")
    var after: Int64?

    @Option(help: "How many at most; 20 unless --after is given.")
    var limit: Int?

    @Flag(help: "Go on with what comes, until it is stopped.")
    var follow = false

    @OptionGroup var common: CommonOptions

    /// How often a mirror that another process writes is looked at where that process cannot wake this one.
    private static let interval = Duration.seconds(1)
    /// Entries that are looked up at a time.
    private static let page = 500

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit has to be 1 or more.") }
        if let entity, Catalog.entity(named: entity) == nil { throw SyncOptionsError.unknownEntity(entity) }
    }

    func run() async throws {
        let settings = try await Settings(file: common.config)
        try await Installation.with(settings, databaseURL: common.databaseURL, to: .look) { installation in
            do {
                try await cancelledBySignals { try await show(installation.mirror) }
            } catch is CancellationError where follow {
                // To be stopped is how following ends.
            }
        }
    }

    private func show(_ mirror: Mirror) async throws {
        var last: Int64
        if let after {
            last = after
            var left = limit ?? .max
            while left > 0 {
                let changes = try await mirror.changes(after: last, entity: entity, limit: min(left, Self.page))
                write(changes)
                last = changes.last?.id ?? last
                left -= changes.count
                if changes.count < Self.page { break }
            }
        } else {
            let newest = try await mirror.lastChangeID()
            let changes = try await mirror.newestChanges(entity: entity, limit: limit ?? 20)
            write(changes)
            last = max(newest, changes.last?.id ?? 0)
        }
        if follow { try await follow(mirror, after: last) }
    }

    private func follow(_ mirror: Mirror, after seen: Int64) async throws {
        var last = seen
        let news = mirror.database.notifications(of: Mirror.changeChannel)
        let ticks = AsyncTimerSequence(interval: Self.interval, clock: .continuous).map { _ in }
        for try await _ in merge(news, ticks) {
            while true {
                let changes = try await mirror.changes(after: last, entity: entity, limit: Self.page)
                write(changes)
                last = changes.last?.id ?? last
                if changes.count < Self.page { break }
            }
        }
    }

    private func write(_ changes: [Change]) {
        let lines = changes.map { (common.json ? ChangeDocument.json($0) : Self.text($0)) + "\n" }
        // At once, so that a pipe's reader sees an entry when it comes.
        FileHandle.standardOutput.write(Data(lines.joined().utf8))
    }

    private static func text(_ change: Change) -> String {
        let bringer = change.runID.map { "run \($0)" } ?? change.deliveryID.map { "delivery \($0)" } ?? "-"
        let columns = [
            String(change.id), Timestamp.seconds(change.changedAt), change.entity, change.zohoID, change.kind, bringer,
        ]
        return (columns + [change.fields.joined(separator: ", ")]).filter { !$0.isEmpty }.joined(separator: "  ")
    }
}
