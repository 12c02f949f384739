import ArgumentParser
import AsyncAlgorithms
import Database
import Mirror
import Server

struct ChangesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes", abstract: "Lists the mirror's changes in order, and can follow them live.",
        discussion: """
            Entries come in order: no entry is followed by one with a smaller number. Keep the last number and \
            continue from it with --after. \
            With --json each entry is one line, with every changed column before and after.
            """)

    @Argument(help: "Only changes to this entity.")
    var entity: EntityName?

    @Option(help: "Show all entries after this number; without it, the newest ones.")
    var after: Int64?

    @Option(help: "Maximum number of entries; default 20, or all with --after.")
    var limit: Int?

    @Flag(help: "Keep printing new entries until stopped.")
    var follow = false

    @OptionGroup var common: CommonOptions

    /// How often a mirror is read where the process that writes it cannot wake this one.
    private static let interval = Duration.seconds(1)
    /// Entries that are looked up at a time.
    private static let page = 500

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1.") }
        if let after, after < 0 { throw ValidationError("--after must be 0 or more.") }
        if follow, after != nil, limit != nil {
            throw ValidationError("--follow has no limit; leave --limit out.")
        }
    }

    func run() async throws {
        let settings = try await Settings(file: common.config)
        let name = try entity?.name
        try await Installation.with(settings, databaseURL: common.databaseURL, to: .read) { installation in
            guard follow else {
                _ = try await show(name, installation.mirror)
                return
            }
            do {
                try await cancelledBySignals { try await follow(name, installation.mirror) }
            } catch is CancellationError {
                // Being stopped is how following ends.
            }
        }
    }

    /// - Returns: the number up to which there is nothing more to show.
    private func show(_ entity: String?, _ mirror: Mirror) async throws -> Int64 {
        guard let after else {
            let newest = try await mirror.lastChangeID()
            let changes = try await mirror.newestChanges(entity: entity, limit: limit ?? 20)
            try write(changes)
            return max(newest, changes.last?.id ?? 0)
        }
        try await mirror.checkChanges(after: after)
        return try await show(entity, mirror, after: after, atMost: limit ?? .max)
    }

    private func show(
        _ entity: String?, _ mirror: Mirror, after: Int64, atMost limit: Int = .max
    ) async throws -> Int64 {
        var (last, left) = (after, limit)
        while left > 0 {
            let page = try await mirror.changePage(after: last, entity: entity, limit: min(left, Self.page))
            try write(page.changes)
            last = page.last
            left -= page.changes.count
            if page.changes.count < Self.page { break }
        }
        return last
    }

    private func follow(_ entity: String?, _ mirror: Mirror) async throws {
        // Before reading, or what is committed in between would be shown late.
        let news = mirror.database.notifications(of: Mirror.changeChannel)
        let ticks = AsyncTimerSequence(interval: Self.interval, clock: .continuous).map { _ in }
        var last = try await show(entity, mirror)
        for try await _ in merge(news, ticks) { last = try await show(entity, mirror, after: last) }
    }

    private func write(_ changes: [Change]) throws {
        try Console.write(changes.map { (common.json ? ChangeDocument.json($0) : Self.text($0)) + "\n" }.joined())
    }

    private static func text(_ change: Change) -> String {
        let bringer = change.runID.map { "run \($0)" } ?? change.deliveryID.map { "delivery \($0)" } ?? "-"
        let columns = [
            String(change.id), Timestamp.seconds(change.changedAt), change.entity, change.zohoID, change.kind, bringer,
        ]
        return (columns + [change.fields.joined(separator: ", ")]).filter { !$0.isEmpty }.joined(separator: "  ")
    }
}
