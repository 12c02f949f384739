import ArgumentParser
import Logging
import Mirror
import Server
import Sync
import ZohoBooks

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract:
            "Takes Zoho's webhooks and applies them, sweeps, watches and heals by itself, and serves the HTTP API.",
        discussion: """
            ZOHOSYNC_WEBHOOK_SECRET is the secret of Zoho's signature; ZOHOSYNC_WEBHOOK_KEY the value expected in an \
            X-Webhook-Key header instead. Stops on SIGTERM when everything that was taken is stored and what was \
            claimed is done.
            """)

    @Option(help: "The name or address to listen on: 127.0.0.1 unless ZOHOSYNC_HOSTNAME says otherwise.")
    var hostname: String?

    @Option(help: "The port: 8080 unless ZOHOSYNC_PORT says otherwise; 0 takes a free one.")
    var port: Int?

    @Option(help: "Workers that apply deliveries side by side, 1 to 16: 2 unless ZOHOSYNC_WORKERS says otherwise.")
    var workers: Int?

    @Flag(help: "Listen beyond this machine although anybody could send webhooks.")
    var allowUnsignedWebhooks = false

    @Flag(help: "Believe a delivery that says that a record is gone without asking Zoho.")
    var trustDeletions = false

    @Flag(help: "Do nothing by itself: take webhooks and requests only.")
    var noSchedule = false

    @Option(help: "How the log is written: logfmt or json.")
    var logFormat: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let port, !(0...65_535).contains(port) { throw ValidationError("--port \(port) is no port.") }
        if let workers, !(1...16).contains(workers) {
            throw ValidationError("--workers \(workers) is not possible; choose 1 to 16.")
        }
        if let logFormat, LineLogHandler.Format(rawValue: logFormat) == nil {
            throw ValidationError("--log-format \(logFormat) is none of logfmt, json.")
        }
    }

    func run() async throws {
        var settings = try await Settings(file: common.config)
        if let logFormat { settings.set("zohosync.logFormat", logFormat) }
        _ = try settings.logFormat()
        var configuration = try settings.server()
        if let hostname { configuration.hostname = hostname }
        if let port { configuration.port = port }
        configuration.allowsUnsignedWebhooks = allowUnsignedWebhooks
        let (server, workers) = (configuration, try workers ?? settings.workers())
        let trusts = try settings.trustsDeletions() || trustDeletions
        let final = settings
        let inFlight = try settings.inFlight()
        let isJSON = common.json
        var watched = try settings.watch()
        if noSchedule { watched.schedule = .off }
        let watch = watched
        try await Installation.with(
            settings, databaseURL: common.databaseURL, to: .change
        ) { installation in
            try await installation.withClient(final) { client in
                let service = try ZohoSyncServer(
                    server, mirror: installation.mirror, client: client, holder: Holder.current, workers: workers,
                    trustsDeletions: trusts, watch: watch, isDead: { Holder.isDead($0) },
                    logger: installation.logger
                ) { client, options, onEvent in
                    Synchroniser(
                        client: client, mirror: installation.mirror, options: options, holder: Holder.current,
                        concurrency: inFlight, isDead: { Holder.isDead($0) }, onEvent: onEvent)
                }
                if let plan = try await client.budget().dailyLimit {
                    let cost = try await ScheduleCost.of(watch.schedule, installation.mirror)
                    for warning in cost.warnings(plan: plan, reserve: watch.reserve) {
                        installation.logger.warning(
                            "The schedule does not fit into the plan", metadata: ["advice": "\(warning)"])
                    }
                }
                do {
                    try await service.run { port in
                        let address = server.url(port: port)
                        // A program that starts the server waits for this line.
                        try? Console.write(
                            (isJSON ? ["address": address].json(indented: false) : "zohosync serves at \(address)")
                                + "\n")
                    }
                } catch let error as ShutdownOverdue {
                    // Closing the database would wait for what does not end.
                    ExitStatus(error).exit()
                }
            }
        }
    }
}
