import Catalog
import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
package import Mirror
import NIOCore
import NIOSSL
import ServiceLifecycle
package import Sync
import UnixSignals
package import ZohoBooks

/// The HTTP service: webhooks in, syncs on request, and a view of everything.
package struct ZohoSyncServer: Sendable {
    private let configuration: ServerConfiguration
    private let inbox: InboxWriter
    private let processor: DeliveryProcessor
    private let runs: SyncRuns
    let routes: Routes
    private let metrics: Metrics
    private let arrivals: ArrivalLog
    private let proof: WebhookProof
    private let unknownPaths = UnknownPaths()
    let scheduler: Scheduler
    private let feed: ChangeFeed
    private let bodies: BodyReader
    private let authenticator: Authenticator
    private let logger: Logger

    /// The part of a shutdown's time in which requests are still answered: the first of this many.
    private static let answerParts = 4
    /// Seconds after which an idle connection is closed: longer than proxies keep theirs.
    private static let idleTimeout = 75

    /// Makes a synchroniser with the server's own client, whose calls are counted.
    package typealias MakeSynchroniser =
        @Sendable (ZohoBooksClient, SyncOptions, @escaping @Sendable (SyncEvent) async -> Void) -> Synchroniser

    /// Puts a server together.
    ///
    /// - Parameters:
    ///   - process: host and process, for people and for claims.
    ///   - workers: how many apply deliveries in parallel.
    ///   - trustsDeletions: whether a deletion that a delivery reports is believed without a call.
    ///   - watch: what the server does on its own, and whom it tells.
    ///   - isDead: whether the process of this name is known to have ended.
    ///   - makeSynchroniser: makes the synchroniser of each sync.
    /// - Throws: ``ServerConfigurationError`` for a configuration that would not be safe.
    package init(
        _ configuration: ServerConfiguration, mirror: Mirror, client: ZohoBooksClient, process: String,
        workers: Int = 2, trustsDeletions: Bool = false, watch: WatchConfiguration = .init(),
        isDead: @escaping @Sendable (String) -> Bool = { _ in false }, logger: Logger,
        makeSynchroniser: @escaping MakeSynchroniser
    ) throws {
        try configuration.validate()
        self.configuration = configuration
        self.logger = logger
        let metrics = Metrics()
        self.metrics = metrics
        let client = client.observed { metrics.count(.calls, .init(["result": $0.result.rawValue])) }
        let arrivals = ArrivalLog(mirror, logger: logger)
        self.arrivals = arrivals
        proof = WebhookProof(secret: configuration.webhookSecret, key: configuration.webhookKey)
        let inspector = HealthInspector(
            mirror: mirror, client: client, organizationID: watch.organization, thresholds: watch.thresholds,
            expectsWebhooks: proof.isExpected,
            schedule: watch.schedule)
        feed = ChangeFeed(mirror)
        inbox = InboxWriter(mirror, clock: configuration.clock)
        runs = SyncRuns(mirror) { options, onEvent in
            var options = options
            options.deletions = watch.healing.deletions
            return makeSynchroniser(client, options) { event in
                if event.phase == .ended, let run = event.run { metrics.count(run) }
                await onEvent(event)
            }
        }
        processor = DeliveryProcessor(
            mirror: mirror, client: client, process: process, workers: workers, trustsDeletions: trustsDeletions,
            isDead: isDead, restartsWorkers: !watch.healing.disabled.contains(.restartWorker), logger: logger
        ) { report in
            for (outcome, number) in report.outcomes {
                metrics.count(.applied, .init(["entity": report.entity, "outcome": outcome.rawValue]), number)
            }
            if report.postponed > 0 { metrics.count(.postponed, .init(["entity": report.entity]), report.postponed) }
            for (kind, lags) in report.lags {
                for lag in lags { metrics.observeLag(of: kind.rawValue, microseconds: lag) }
            }
        }
        let health = HealthWatch(
            mirror: mirror, inspector: inspector, organization: watch.organization, targets: watch.targets,
            ping: watch.ping, logger: logger
        ) { try? await within(Deadline.query, clock: configuration.clock) { try await arrivals.flush() } }
        let synchronise: @Sendable (SyncOptions) async throws -> SyncReport = { [runs] options in
            let report = try await runs.start(options).report
            return try await withTaskCancellationHandler {
                try await report.value.get()
            } onCancel: {
                report.cancel()
            }
        }
        let healer = Healer(
            mirror: mirror, client: client, options: watch.healing, process: process, isDead: isDead,
            processor: processor, synchronise: synchronise)
        scheduler = Scheduler(
            watch.schedule, mirror: mirror, process: process, isDead: isDead,
            work: ScheduledWork(
                synchronise: synchronise,
                reconcile: { options in
                    var options = options
                    options.deletions = watch.healing.deletions
                    return try await Reconciler(
                        client: client, mirror: mirror, options: options, process: process, isDead: isDead,
                        onEvent: { event in
                            guard case .ended(let entity, let findings) = event else { return }
                            metrics.countRun(of: entity, "reconciliation", findings.state.rawValue)
                        }
                    ).run()
                }, checkHealth: { await health.check() }, heal: { try await healer.heal() }),
            logger: logger)
        bodies = BodyReader(capacity: configuration.bodyCapacity, clock: configuration.bodyClock)
        let streams = StreamLimit(limit: configuration.streams)
        let budget: @Sendable () async throws -> BudgetSnapshot = { try await client.budget() }
        routes = Routes(
            health: HealthAPI(
                mirror: mirror, inspector: inspector, arrivals: arrivals, clock: configuration.clock,
                unknownPaths: unknownPaths, remembered: { health.remembered }),
            metrics: MetricsAPI(mirror: mirror, metrics: metrics, clock: configuration.clock, budget: budget),
            intake: WebhookIntake(
                mirror: mirror, inbox: inbox, proof: proof, metrics: metrics, arrivals: arrivals,
                bodies: bodies, logger: logger),
            bulkSync: BulkSyncAPI(
                mirror: mirror, runs: runs, budget: budget, bodies: bodies, streams: streams,
                keepAlive: configuration.keepAlive),
            deadLetters: DeadLettersAPI(mirror: mirror, logger: logger),
            changes: ChangesAPI(mirror: mirror, feed: feed, streams: streams, keepAlive: configuration.keepAlive),
            tokens: TokensAPI(mirror: mirror, bodies: bodies, logger: logger))
        authenticator = Authenticator(mirror, configuration.clock, metrics: metrics, logger: logger)
    }

    /// Serves until SIGTERM or SIGINT, or until the task is cancelled.
    ///
    /// - Parameters:
    ///   - stopsOnSignals: whether the process's signals end it; a test ends it by cancelling.
    ///   - onReady: called once with the port, when requests are accepted.
    /// - Throws: what prevents listening; ``ShutdownOverdue`` where something did not end although it was stopped.
    package func run(
        stopsOnSignals: Bool = true, onReady: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) async throws {
        let application = Application(
            router: router(), server: try httpServer(),
            configuration: .init(
                address: .hostname(configuration.hostname, port: configuration.port), serverName: nil),
            onServerRunning: { await onReady($0.localAddress?.port ?? 0) }, logger: quietLogger)
        let (stops, stop) = AsyncStream.makeStream(of: Never.self)
        // Stopped from the last to the first: nothing is taken any more before what was taken is stored and worked on.
        let services: [any Service] = [
            Worker { [arrivals] in try await arrivals.run() }, Worker { [inbox] in try await inbox.run() },
            Worker { [processor] in try await processor.run() },
            Worker { [runs] in try await runs.run() }, Worker { [scheduler] in try await scheduler.run() },
            Worker { [feed] in try await feed.run() }, Worker { [bodies] in await bodies.run() },
            Worker { [configuration] in
                try await Self.answer(application, for: configuration.shutdownTimeout / Self.answerParts)
            },
            Worker { [runs] in
                // First, so that nothing waits for a sync that will not end.
                try? await gracefulShutdown()
                stop.finish()
                await runs.stop()
            },
        ]
        var group = ServiceGroupConfiguration(
            services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            gracefulShutdownSignals: stopsOnSignals ? [.sigterm, .sigint] : [], logger: quietLogger)
        group.maximumGracefulShutdownDuration = configuration.shutdownTimeout
        let end = ServiceGroupTask(ServiceGroup(configuration: group))
        let bound = configuration.shutdownTimeout + configuration.stopTimeout
        let alarm = Task { [logger] in
            for await _ in stops {}
            try await Task.sleep(for: bound)
            logger.error("Part of the server did not end in time and was abandoned", metadata: ["after": "\(bound)"])
            end.abandon()
        }
        defer { alarm.cancel() }
        do {
            try await withTaskCancellationHandler {
                try await end.wait()
            } onCancel: {
                end.cancel()
                stop.finish()
            }
        } catch let error as IOError {
            throw ServerConfigurationError.address(
                configuration.address, reason: String(cString: strerror(error.errnoCode)))
        } catch let error as SocketAddressError {
            throw ServerConfigurationError.address(configuration.address, reason: "\(error)")
        }
    }

    /// Runs the application; after the program was told to shut down, for no longer than a bound.
    ///
    /// A client that sends half a body, or does not read its answer, must not take the time in which deliveries are
    /// stored and applied.
    private static func answer(_ application: some ApplicationProtocol, for bound: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                try? await gracefulShutdown()
                try? await Task.sleep(for: bound)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// The frameworks log what they do at `info`, which is of use only for debugging.
    private var quietLogger: Logger {
        var logger = logger
        if logger.logLevel == .info || logger.logLevel == .notice { logger.logLevel = .warning }
        return logger
    }

    func router() -> Router<ServerContext> {
        let router = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: HeadMiddleware())
        router.add(
            middleware: EdgeMiddleware(
                metrics: metrics, arrivals: arrivals, served: ServedPaths(routes.all), proof: proof, bodies: bodies,
                unknownPaths: unknownPaths,
                trustedProxies: configuration.trustedProxies, logger: logger))
        for route in routes.all {
            let (authenticator, clock) = (authenticator, configuration.clock)
            router.on(RouterPath(route.path), method: route.method) { request, context -> Response in
                var context = context
                if case .token(let role) = route.access {
                    context.token = try await authenticator.token(of: request, from: context.caller, for: role)
                }
                guard route.isLookup else { return try await route.handler(request, context) }
                return try await within(Deadline.answer, clock: clock) { [context] in
                    try await route.handler(request, context)
                }
            }
        }
        return router
    }

    private func httpServer() throws -> HTTPServerBuilder {
        let http = HTTPServerBuilder.http1(configuration: .init(idleTimeout: .seconds(Int64(Self.idleTimeout))))
        guard let tls = configuration.tls else { return http }
        func read<T>(_ file: String, _ read: (String) throws -> T) throws -> T {
            do { return try read(file) } catch { throw ServerConfigurationError.certificate("\(file): \(error)") }
        }
        let chain = try read(tls.certificate) { try NIOSSLCertificate.fromPEMFile($0) }.map {
            NIOSSLCertificateSource.certificate($0)
        }
        let key = try read(tls.key) { try NIOSSLPrivateKey(file: $0, format: .pem) }
        do {
            return try .tls(
                http,
                tlsConfiguration: .makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key)))
        } catch {
            throw ServerConfigurationError.certificate("\(error)")
        }
    }
}

/// Something that runs as long as the server does.
private struct Worker: Service {
    let work: @Sendable () async throws -> Void

    func run() async throws { try await work() }
}
