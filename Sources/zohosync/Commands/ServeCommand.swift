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
            "Receives and applies Zoho's webhooks, syncs on schedule, checks and heals itself, and serves the HTTP API.",
        discussion: """
            ZOHOSYNC_WEBHOOK_SECRET is the secret with which Zoho signs its webhooks; ZOHOSYNC_WEBHOOK_KEY is the value \
            expected in an X-Webhook-Key header instead. On SIGTERM it stores what it has received, finishes the work \
            in hand, and stops.
            """)

    @Option(help: "The name or address to listen on; default ZOHOSYNC_HOSTNAME, or 127.0.0.1.")
    var hostname: String?

    @Option(help: "The port to listen on; default ZOHOSYNC_PORT, or 8080. 0 picks a free one.")
    var port: Int?

    @Option(help: "Workers that apply deliveries in parallel, 1 to 16; default ZOHOSYNC_WORKERS, or 2.")
    var workers: Int?

    @Flag(help: "Allow listening beyond loopback without a webhook secret or key.")
    var allowUnsignedWebhooks = false

    @Flag(help: "Mark a record as deleted when a webhook says so, without confirming it with Zoho.")
    var trustDeletions = false

    @Flag(help: "Run no scheduled tasks; serve webhooks and requests only.")
    var noSchedule = false

    @Option(help: "The format of the log: logfmt or json; default ZOHOSYNC_LOG_FORMAT, or logfmt.")
    var logFormat: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let port, !(0...65_535).contains(port) { throw ValidationError("--port must be from 0 to 65535.") }
        if let workers, !(1...16).contains(workers) {
            throw ValidationError("--workers must be from 1 to 16.")
        }
        if let logFormat, LineLogHandler.Format(rawValue: logFormat) == nil {
            throw ValidationError("--log-format must be logfmt or json.")
        }
    }

    func run() async throws {
        var settings = try await Settings(file: common.config)
        if let logFormat { settings.set("zohosync.logFormat", logFormat) }
        var configuration = try settings.server()
        if let hostname { configuration.hostname = hostname }
        if let port { configuration.port = port }
        configuration.allowsUnsignedWebhooks = allowUnsignedWebhooks
        let (server, workers) = (configuration, try workers ?? settings.workers())
        let trusts = try settings.trustsDeletions() || trustDeletions
        let final = settings
        let isJSON = common.json
        var watched = try settings.watch()
        if noSchedule { watched.schedule = .off }
        let watch = watched
        try await Installation.with(
            settings, databaseURL: common.databaseURL, to: .change
        ) { installation in
            try await installation.withClient(final) { client in
                let service = try ZohoSyncServer(
                    server, mirror: installation.mirror, client: client, process: ProcessName.current, workers: workers,
                    trustsDeletions: trusts, watch: watch, isDead: { ProcessName.isDead($0) },
                    logger: installation.logger
                ) { client, options, onEvent in
                    Synchroniser(
                        client: client, mirror: installation.mirror, options: options, process: ProcessName.current,
                        isDead: { ProcessName.isDead($0) }, onEvent: onEvent)
                }
                let budget = try await client.budget()
                if let plan = budget.dailyLimit {
                    let cost = try await ScheduleCost.of(watch.schedule, installation.mirror)
                    for warning in cost.warnings(plan: plan, reserve: budget.reserve) {
                        installation.logger.warning(
                            "The schedule does not fit the plan", metadata: ["advice": "\(warning)"])
                    }
                }
                do {
                    try await service.run { port in
                        let address = server.url(port: port)
                        // A program that starts the server waits for this line.
                        try? Console.write(
                            (isJSON
                                ? ["address": address].json(indented: false) : "zohosync is listening on \(address)")
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
