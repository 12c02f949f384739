import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// Sends the webhooks of rules that fired, and repeats them as Zoho does (section 8.5).
final class WebhookSender: Sendable {
    let settings: Mutex<SimulatorConfiguration.Webhooks>
    let queue = Monitor(DeliveryQueue())
    let ledger = Mutex(WebhookLedger())
    private let plan: Mutex<DeliveryPlan>
    private let organizationID: String
    private let clock: any Clock<Duration>

    init(_ configuration: SimulatorConfiguration) {
        settings = Mutex(configuration.webhooks)
        plan = Mutex(DeliveryPlan(seed: configuration.seed))
        organizationID = configuration.organizationID
        clock = configuration.clock
    }

    /// The addresses of the rules for something that happened.
    func urls(_ module: WebhookModule, _ event: WebhookEvent) -> [String] {
        settings.withLock { settings in
            settings.rules.filter { $0.module == module && $0.events.contains(event) }.map(\.url)
        }
    }

    /// Takes what a rule fired, on the `day`th day of the organisation's calendar.
    func submit(_ delivery: WebhookDelivery, day: Int) {
        let settings = settings.withLock { $0 }
        let fate = plan.withLock { $0.next(settings, day: day) }
        ledger.withLock { ledger in
            ledger.statistics.fired += 1
            switch fate {
            case .refusedByCap: ledger.statistics.refusedByCap += 1
            case .lost: ledger.statistics.lost += 1
            case .sent(let delays): ledger.statistics.duplicated += delays.count - 1
            }
        }
        guard case .sent(let delays) = fate else { return }
        queue.update { queue in
            for delay in delays {
                var copy = delivery
                copy.delay = delay
                queue.add(copy)
            }
        }
    }

    /// Waits until fewer deliveries are unsettled than the queue may hold.
    func waitForRoom() async throws {
        let limit = settings.withLock { $0.queueLimit }
        try await queue.wait { $0.unsettled < limit ? () : nil }
    }

    /// Sends until cancelled.
    func run() async throws {
        let settings = settings.withLock { $0 }
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .init(settings.connectTimeout), read: .init(settings.readTimeout)),
            connectionPool: .init(
                idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: settings.concurrency))
        configuration.httpVersion = .http1Only
        // The pool would retry failed connections until the deadline of the call; retries are made here.
        configuration.connectionPool.retryConnectionEstablishment = false
        try await HTTPClient.withHTTPClient(configuration: configuration) { client in
            try await withThrowingDiscardingTaskGroup { group in
                while true {
                    let delivery = try await queue.wait { $0.take(concurrency: settings.concurrency) }
                    group.addTask { await self.handle(delivery, client) }
                }
            }
        }
    }

    private func handle(_ delivery: WebhookDelivery, _ client: HTTPClient) async {
        if delivery.delay > .zero { return await wait(delivery) }
        let settings = settings.withLock { $0 }
        let status = await send(delivery, settings, client)
        if Task.isCancelled { return }
        if (200..<300).contains(status) {
            ledger.withLock {
                $0.acknowledge(delivery, status: status, remembering: settings.rememberedDeliveries)
            }
            queue.update { $0.settle() }
            return
        }
        let isLast = delivery.attempt >= settings.retries
        ledger.withLock { ledger in
            ledger.statistics.failedCalls[status, default: 0] += 1
            if isLast { ledger.statistics.failed += 1 }
        }
        if isLast {
            queue.update { $0.settle() }
            return
        }
        var next = delivery
        next.attempt += 1
        next.delay = settings.delay(beforeRetry: next.attempt)
        queue.update { $0.postpone() }
        await wait(next)
    }

    /// Brings a delivery back into the queue when its time has come.
    private func wait(_ delivery: WebhookDelivery) async {
        var due = delivery
        due.delay = .zero
        do {
            if delivery.delay > .zero { try await clock.sleep(for: delivery.delay) }
            queue.update { [due] in $0.resume(due) }
        } catch {
            // Cancelled: nobody sends any more.
        }
    }

    /// The HTTP status of the answer; 0 without one.
    private func send(
        _ delivery: WebhookDelivery, _ settings: SimulatorConfiguration.Webhooks, _ client: HTTPClient
    ) async -> Int {
        ledger.withLock { ledger in
            ledger.statistics.sent += 1
            if delivery.attempt > 0 { ledger.statistics.retried += 1 }
        }
        do {
            let built = try WebhookRequest(delivery, settings, organizationID: organizationID)
            var request = HTTPClientRequest(url: built.url)
            request.method = .POST
            request.headers = built.headers
            request.body = .bytes(built.body)
            let response = try await client.execute(request, deadline: .distantFuture)
            // A connection is reused only after its answer was read.
            for try await _ in response.body {}
            return Int(response.status.code)
        } catch {
            return 0
        }
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        let parts = duration.components
        self = .nanoseconds(parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000)
    }
}
