import AsyncAlgorithms
import Database
package import Logging
package import Mirror
import ServiceLifecycle
package import ZohoBooks

/// What became of some deliveries.
package struct DeliveryReport: Sendable {
    package let entity: String
    /// How many records had each outcome in this entity; those without any are missing.
    package let outcomes: [Outcome: Int]
    /// From receipt to the commit, in microseconds, for each delivery of a kind.
    package let lags: [InboxEntry.Kind: [Int64]]
    /// Deliveries whose attempt has failed, and that are tried again later.
    package var postponed = 0
}

/// Works on the inbox: applies what was delivered, and reads again what deliveries ask for.
///
/// Workers claim entries for a time, so that any number of processes can work on one inbox, and what a dead process had
/// claimed comes back.
package struct DeliveryProcessor: Sendable {
    let mirror: Mirror
    let client: ZohoBooksClient
    /// Host and process, for people and for claims.
    let process: String
    /// Whether the process of this name is known to have ended.
    let isDead: @Sendable (String) -> Bool
    /// Workers that apply records; one more reads.
    let workers: Int
    /// Whether a delivery that says that a record is gone is believed without a call.
    let trustsDeletions: Bool
    /// In 0..<1.
    let random: @Sendable () -> Double
    /// How long a worker may give no sign of life before it is taken for stuck.
    let timeout: Duration
    /// Whether a worker that is stuck is given up for another one.
    let restartsWorkers: Bool
    /// How often a worker looks for work without being woken: for what was postponed, and for claims that have lapsed.
    let tick: Duration
    /// By which the timeout and the renewal of claims are measured.
    let clock: any Clock<Duration>
    let logger: Logger
    let onProcessed: @Sendable (DeliveryReport) -> Void

    /// - Parameters:
    ///   - process: host and process; workers add their number to it.
    ///   - workers: how many apply records, from 1; one more reads.
    ///   - onProcessed: told of every group of entries that was worked on.
    package init(
        mirror: Mirror, client: ZohoBooksClient, process: String, workers: Int = 2, trustsDeletions: Bool = false,
        isDead: @escaping @Sendable (String) -> Bool = { _ in false },
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }, timeout: Duration = .seconds(900),
        restartsWorkers: Bool = true, tick: Duration = .seconds(1),
        clock: any Clock<Duration> = ContinuousClock(), logger: Logger,
        onProcessed: @escaping @Sendable (DeliveryReport) -> Void = { _ in }
    ) {
        self.mirror = mirror
        self.client = client
        self.process = process
        self.workers = workers
        self.isDead = isDead
        self.trustsDeletions = trustsDeletions
        self.random = random
        self.timeout = timeout
        self.restartsWorkers = restartsWorkers
        self.tick = tick
        self.clock = clock
        self.logger = logger
        self.onProcessed = onProcessed
    }

    /// Works until the program shuts down; what is claimed then is finished or given back.
    ///
    /// A worker that is stuck is given up, and another one begins.
    package func run() async throws {
        _ = try? await mirror.releaseClaims(where: isDead)
        await withTaskGroup(of: Void.self) { group in
            for number in 1...max(1, workers) {
                let worker = RecordWorker(processor: self, name: "\(process)#\(number)")
                group.addTask { await supervise(worker.name, on: Mirror.recordChannel) { try await worker.drain($0) } }
            }
            let worker = ReadingWorker(processor: self, name: "\(process)#reading")
            group.addTask { await supervise(worker.name, on: Mirror.readingChannel) { try await worker.drain($0) } }
        }
    }

    /// Works on what is due now, in the caller's task.
    package func drainOnce() async throws {
        let heartbeat = WorkerHeartbeat(mirror, worker: "\(process)#once", process: process)
        do {
            try await ReadingWorker(processor: self, name: "\(process)#once").drain(heartbeat)
            try await RecordWorker(processor: self, name: "\(process)#once").drain(heartbeat)
            try await heartbeat.end()
        } catch {
            try? await heartbeat.end()
            throw error
        }
    }

    private func supervise(
        _ name: String, on channel: String, _ drain: @escaping @Sendable (WorkerHeartbeat) async throws -> Void
    ) async {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let heartbeat = WorkerHeartbeat(mirror, worker: name, process: process, clock: clock)
            let worker = Task<Void, any Error> { await work(on: channel, heartbeat, drain) }
            let isStuck = await withTaskCancellationHandler {
                await staysSilent(worker, heartbeat)
            } onCancel: {
                worker.cancel()
                heartbeat.stop()
            }
            guard isStuck else {
                _ = await worker.result
                try? await heartbeat.end()
                return
            }
            // It is not waited for: what it waits for may never come.
            worker.cancel()
            heartbeat.giveUp()
            logger.error("A worker was stuck and was restarted", metadata: ["worker": "\(name)"])
            // Beside the next worker: the database may be what this one was stuck on.
            Task { [mirror, timeout, logger] in
                do {
                    try await mirror.record(
                        HealingRecord(
                            action: HealingAction.restartWorker.rawValue,
                            reason: "\(name) did not respond for \(timeout).",
                            state: .done, outcome: "It was abandoned, and another one continues.", changed: 1,
                            at: mirror.now()))
                } catch {
                    logger.warning(
                        "The restart of a worker cannot be recorded",
                        metadata: ["worker": "\(name)", "error": "\(error)"])
                }
            }
        }
    }

    /// Waits until a worker has ended, or has given no sign of life for too long.
    private func staysSilent(_ worker: Task<Void, any Error>, _ heartbeat: WorkerHeartbeat) async -> Bool {
        guard restartsWorkers else {
            _ = await worker.result
            return false
        }
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                try? await worker.valueUnlessCancelled
                return false
            }
            group.addTask { [timeout] in (try? await heartbeat.silence(of: timeout)) != nil }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    private func work(
        on channel: String, _ heartbeat: WorkerHeartbeat,
        _ drain: @escaping @Sendable (WorkerHeartbeat) async throws -> Void
    ) async {
        let woken = mirror.database.notifications(of: channel)
        let ticks = AsyncTimerSequence(interval: tick, clock: .continuous).map { _ in () }
        for await _ in merge(woken, ticks).cancelOnGracefulShutdown() {
            do {
                try await heartbeat.beat()
                try await drain(heartbeat)
            } catch {
                logger.warning("The inbox cannot be processed", metadata: ["error": "\(error)"])
            }
        }
    }
}
