import ArgumentParser
import Catalog
import Database
import Foundation
import Mirror
import Sync
import ZohoBooks
import ZohoSimulator

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Loads a simulated organisation into a fresh SQLite file, to show how it works.")

    @Option(help: "SQLite file to create; replaces an earlier demo's file and no other.")
    var file = "demo/zoho.sqlite"

    @OptionGroup var output: OutputOptions

    func run() async throws {
        var configuration = SimulatorConfiguration()
        try await removeOldFile(of: configuration.organizationID)
        configuration.latency = .milliseconds(20)
        configuration.limits.callsPerDay = 10_000
        let options = SyncOptions()
        let display = ProgressDisplay(isJSON: output.json)
        Console.note(
            """
            A simulated Zoho Books organisation: 1,312 items, 2,502 contacts, 10 price lists, 125 invoices and more.
            It answers in 20 ms, with no limit per minute and 10,000 calls a day, like Zoho's largest plan. A real
            organisation of this size is usable after 26 calls and complete after about 2,900, which a plan of 2,000 calls a
            day spreads over two days.


            """)
        let path = file
        let report = try await ZohoSimulator.withSimulator(configuration) { simulator in
            let settings = try await Settings(simulator: simulator, configuration)
            return try await Installation.with(
                settings, databaseURL: "sqlite:\(path)", to: .change
            ) { installation in
                try await installation.withClient(settings) { client in
                    let synchroniser = Synchroniser(
                        client: client, mirror: installation.mirror, options: options, process: ProcessName.current,
                        onEvent: { await display.show($0) })
                    return try await cancelledBySignals { try await synchroniser.report() }
                }
            }
        }
        await display.finish(report)
        if let failure = report.failure { throw ReportedError(cause: failure) }
        if !output.json { showWhatIsNext() }
        if !report.isSuccess { throw ExitCode(ExitStatus.failure) }
    }

    private func showWhatIsNext() {
        Console.print(
            """

            Each record arrived with its list (inserted) and was then completed by a call of its own (updated).
            The mirror is in \(file). Look at it with:

                sqlite3 -box \(file) "select name, unit_price, stock_quantity from products limit 5"
                sqlite3 -box \(file) "select c.name, a.city, a.country from customers c
                    join customer_addresses a on a.customer_id = c.id where a.city is not null limit 5"
                \(CommandLine.arguments[0]) status --database-url sqlite:\(file)
                \(CommandLine.arguments[0]) changes --database-url sqlite:\(file) --limit 5

            README.md explains how to connect your own organisation.
            """)
    }

    private func removeOldFile(of organization: String) async throws {
        if FileManager.default.fileExists(atPath: file) {
            let held = try? await Installation.with(Settings(values: [:]), databaseURL: "sqlite:\(file)", to: .read) {
                try await $0.mirror.organizationID()
            }
            guard held == organization else {
                throw SettingsError.invalid(
                    "--file", file, "a file that does not exist yet, or one that an earlier demo created")
            }
        }
        let folder = (file as NSString).deletingLastPathComponent
        if !folder.isEmpty {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: file + suffix) {
            try FileManager.default.removeItem(atPath: file + suffix)
        }
    }
}

extension Settings {
    /// The settings with which a simulator in this process is reached.
    init(simulator: SimulatorHandle, _ configuration: SimulatorConfiguration) async throws {
        self.init(values: [
            "zoho.clientId": configuration.oauth.clientID,
            "zoho.clientSecret": configuration.oauth.clientSecret,
            "zoho.refreshToken": configuration.oauth.refreshToken,
            "zoho.organizationId": configuration.organizationID,
            "zoho.accountsUrl": simulator.baseURL,
            "zoho.apiUrl": simulator.baseURL,
            "zohosync.callsPerMinute": "0",
            "zohosync.detailsPerMinute": "0",
        ])
    }
}
