import ArgumentParser
import Catalog
import Database
import Foundation
import Mirror
import Server
import Sync
import ZohoBooks

struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Brings the mirror up to date: lists first, then the details that lists lack.",
        discussion: "Can be stopped at any time; the next sync continues where this one stopped.")

    @Argument(help: "Entities to synchronise; all by default.")
    var entities: [EntityName] = []

    @Flag(help: "List everything again, or only what has changed; incremental by default where a cursor exists.")
    var mode: ModeFlag?

    @Option(
        help: """
            Only records modified since this day or instant: 2025-11-01 (from midnight UTC) or \
            2025-11-01T00:00:00+0100.
            """)
    var modifiedSince: String?

    @Option(help: "Rows per transaction, 10 to 200.")
    var batchSize = 200

    @Flag(help: "Skip inactive records; rows of skipped records stay as they are.")
    var activeOnly = false

    @Flag(help: "Skip products without stock.")
    var withStockOnly = false

    @Flag(help: "Do not write references to images.")
    var noImages = false

    @Flag(help: "Read the lists only, without details.")
    var noDetails = false

    @Flag(help: "Fetch and compare, and show what would change without writing anything.")
    var dryRun = false

    @OptionGroup var common: CommonOptions

    enum ModeFlag: String, EnumerableFlag {
        case full
        case incremental
    }

    func run() async throws {
        var asked = try options()
        _ = try asked.validated()
        let settings = try await Settings(file: common.config)
        asked.deletions = try settings.deletions()
        let options = asked
        let display = ProgressDisplay(isJSON: common.json)
        let report = try await Installation.with(
            settings, databaseURL: common.databaseURL, to: dryRun ? .rehearse : .change
        ) { installation in
            try await installation.withClient(settings) { client in
                let synchroniser = Synchroniser(
                    client: client, mirror: installation.mirror, options: options, process: ProcessName.current,
                    isDead: { ProcessName.isDead($0) }, onEvent: { await display.show($0) })
                return try await cancelledBySignals { try await synchroniser.report() }
            }
        }
        await display.finish(report)
        if let failure = report.failure { throw ReportedError(cause: failure) }
        if !report.isSuccess { throw ExitCode(ExitStatus.failure) }
    }

    private func options() throws -> SyncOptions {
        var options = SyncOptions()
        options.entities = try entities.map { try $0.name }
        options.mode = mode.map { $0 == .full ? .full : .incremental } ?? .automatic
        options.batchSize = batchSize
        options.isActiveOnly = activeOnly
        options.isWithStockOnly = withStockOnly
        options.includesImages = !noImages
        options.includesDetails = !noDetails
        options.isDryRun = dryRun
        if let modifiedSince {
            guard let instant = CivilTime.instant(dayOrInstant: modifiedSince) else {
                throw SettingsError.invalid(
                    "--modified-since", modifiedSince, "a day (2025-11-01) or an instant (2025-11-01T08:00:00+0100)")
            }
            options.modifiedSince = instant
        }
        return options
    }
}
