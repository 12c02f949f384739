import Catalog
import Database
import Foundation
import Logging
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("What a schedule costs")
struct ScheduleCostTests {
    private static let demo: [String: ScheduleCost.Holding] = [
        "items": .init(records: ["products": 1_312]), "contacts": .init(records: ["customers": 2_402, "vendors": 100]),
        "pricebooks": .init(records: ["pricelists": 10]), "invoices": .init(records: ["invoices": 125]),
        "bills": .init(records: ["bills": 60]), "creditnotes": .init(records: ["credit_notes": 20]),
        "salesorders": .init(records: ["sales_orders": 80]),
        "customerpayments": .init(records: ["customer_payments": 90]),
    ]

    @Test("The demo's organisation costs less than 500 calls a day with webhooks, and fits into 2,000 without any")
    func cost() {
        let cost = ScheduleCost(.standard, holdings: Self.demo)
        #expect(cost.withWebhooks < 500)
        #expect(cost.withoutWebhooks < 2_000 - 50)
        #expect(cost.warnings(plan: 2_000, reserve: 50).isEmpty)
    }

    @Test("A schedule that cannot fit is said not to, with what costs most")
    func tooMuch() {
        let cost = ScheduleCost(.standard, holdings: Self.demo)
        let tight = cost.warnings(plan: 1_000, reserve: 50)
        #expect(tight.count == 1)
        #expect(tight.first?.contains("only while webhooks arrive") == true)
        #expect(tight.first?.contains("incremental of items") == true)
        let large = ScheduleCost(.standard, holdings: ["items": .init(records: ["products": 100_000])])
        #expect(large.warnings(plan: 2_000, reserve: 50).first?.contains("do not fit") == true)
    }

    @Test(
        "A day of the demo's organisation costs no more calls than announced, and the mirror is fresh",
        .timeLimit(.minutes(10)), arguments: [true, false])
    func day(hasWebhooks: Bool) async throws {
        try await Rig.with(.sqlite) { configuration in
            configuration.counts = SimulatorConfiguration().counts
            // What is not looked at costs nothing.
            configuration.counts[.purchaseorders] = 1
        } _: { rig in
            try await rig.sync()
            try await rig.withClient { client in
                let processor = DeliveryProcessor(
                    mirror: rig.mirror, client: client, holder: "test:1",
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                let synchronise: @Sendable (SyncOptions) async throws -> SyncReport = { options in
                    try await Synchroniser(client: client, mirror: rig.mirror, options: options, holder: "test:1").run()
                }
                // The clock goes on in steps, which look like a server that was down.
                var healing = HealingOptions()
                healing.disabled = [.catchUp]
                let healer = Healer(
                    mirror: rig.mirror, client: client, options: healing, holder: "test:1",
                    isDead: { _ in false }, processor: processor, synchronise: synchronise)
                let watch = HealthWatch(
                    mirror: rig.mirror,
                    inspector: HealthInspector(mirror: rig.mirror, client: client, organizationID: nil),
                    organization: "1", logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                let scheduler = Scheduler(
                    .standard, zone: try #require(TimeZone(identifier: "UTC")), mirror: rig.mirror, holder: "test:1",
                    isDead: { _ in false },
                    work: ScheduledWork(
                        synchronise: synchronise,
                        reconcile: { options in
                            try await Reconciler(
                                client: client, mirror: rig.mirror, options: options, holder: "test:1",
                                random: { 0.5 }
                            ).run()
                        }, checkHealth: { await watch.check() }, heal: { try await healer.heal() }),
                    random: { 0.5 },
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                if hasWebhooks { try await Self.hear(rig) }
                await scheduler.runDue()
                let before = rig.control.statistics.calls
                for quarter in 0..<96 {
                    if quarter % 8 == 0 { try await change(rig, quarter, processor, hasWebhooks) }
                    rig.control.advanceClock(by: .seconds(900))
                    await scheduler.runDue()
                }
                let calls = rig.control.statistics.calls - before
                // Twelve changes a day, each of which a sweep reads again.
                let announced = ScheduleCost(
                    .standard, holdings: try await ScheduleCost.holdings(of: rig.mirror), changesPerDay: 24)
                let limit = hasWebhooks ? 500 : 1_950
                #expect(calls < limit, "\(calls) calls")
                #expect(calls <= (hasWebhooks ? announced.withWebhooks + 24 : announced.withoutWebhooks))
            }
            for quarter in stride(from: 0, to: 96, by: 8) {
                let id = rig.control.id(.invoices, at: quarter)
                #expect(
                    try await rig.value("select reference_number from invoices where zoho_invoice_id = '\(id)'")
                        == "R-\(quarter)")
            }
        }
    }

    private func change(
        _ rig: Rig, _ quarter: Int, _ processor: DeliveryProcessor, _ hasWebhooks: Bool
    ) async throws {
        let id = rig.control.id(.invoices, at: quarter)
        try rig.control.edit(.invoices, id: id, ["reference_number": .string("R-\(quarter)")])
        guard hasWebhooks else { return }
        let record = try #require(rig.control.record(.invoices, id: id))
        _ = try await rig.mirror.store([
            NewDelivery(
                entity: "invoices", content: .readable(.record, zohoID: id, record: RawJSON(record[...])),
                receivedAt: rig.mirror.now(), requestID: nil)
        ])
        try await processor.drainOnce()
        try await Self.hear(rig)
    }

    private static func hear(_ rig: Rig) async throws {
        let now = rig.mirror.now()
        let day = String(Timestamp.text(now).prefix(10))
        try await rig.mirror.add(
            Catalog.entities.filter { $0.entity.webhookName != nil }.map {
                Arrival(kind: .received, subject: $0.entity.name, day: day, number: 1, lastAt: now)
            })
    }
}
