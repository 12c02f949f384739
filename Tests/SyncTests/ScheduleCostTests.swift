import Catalog
import Database
import Foundation
import Mirror
import Sync
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

    @Test("Changes, and what a bad day takes, are in the figures")
    func changes() {
        let (calm, busy) = (
            ScheduleCost(.standard, holdings: Self.demo),
            ScheduleCost(.standard, holdings: Self.demo, changesPerDay: 100)
        )
        #expect(busy.withoutWebhooks == calm.withoutWebhooks + 100)
        #expect(busy.withWebhooks == calm.withWebhooks + 10)
        // Eight modules are asked each hour, and a comparison reads a thousand records of a module at most.
        #expect(calm.onBadDay == 23 * 8 + 1_000 + 1_000 + 10 + 125 + 60 + 20 + 80 + 90)
        #expect(ScheduleCost(.off, holdings: Self.demo).onBadDay == 0)
    }

    @Test("A schedule that does not fit into the plan that Zoho tells is seen", arguments: Engine.allCases)
    func check(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.limits.callsPerDay = 1_000
        } _: { rig in
            try await rig.sync { $0.includesDetails = false }
            func check(_ interval: Int) async throws -> HealthCheck? {
                try await rig.withClient { client in
                    let schedule = Schedule { kind, entity in
                        kind == .incremental && entity == "products" ? .every(interval) : entity == nil ? .off : nil
                    }
                    let inspector = HealthInspector(
                        mirror: rig.mirror, client: client, organizationID: nil, schedule: schedule)
                    return await inspector.inspect(.mirror).first { $0.name == "schedule_percent" }
                }
            }
            // Three pages, 96 times a day, of 950.
            let fits = try await check(900)
            #expect(fits?.state == .ok)
            #expect(fits?.figure == 30)
            let tight = try await check(120)
            #expect(tight?.state == .warning)
            #expect(tight?.advice.contains("incremental of items (2160)") == true)
        }
    }

    @Test("Of the plan a tenth at most is left to others, whatever reserve is set")
    func cappedReserve() async throws {
        var limits = BudgetLimits()
        limits.reserve = 5_000
        try await Rig.with(.sqlite, limits: limits) {
            $0.limits.callsPerDay = 1_000
        } _: { rig in
            try await rig.sync(["products"]) { $0.includesDetails = false }
            let schedule = Schedule { $0 == .incremental && $1 == "products" ? .every(900) : .off }
            try await rig.withClient { client in
                let inspector = HealthInspector(
                    mirror: rig.mirror, client: client, organizationID: nil, schedule: schedule)
                let check = await inspector.inspect(.mirror).first { $0.name == "schedule_percent" }
                // Three pages, 96 times a day, of 900.
                #expect(check?.figure == 32)
            }
        }
    }

    /// Whose changes webhooks announce.
    enum Announced: CaseIterable {
        case everything
        /// Of invoices every second one, and nothing else.
        case halfOfInvoices
        case nothing
    }

    @Test(
        "A day of the demo's organisation costs no more calls than announced, and the mirror is fresh",
        .timeLimit(.minutes(30)), arguments: Announced.allCases)
    func day(announced: Announced) async throws {
        try await Rig.with(.sqlite) { configuration in
            configuration.counts = SimulatorConfiguration().counts
            // What is not looked at costs nothing.
            configuration.counts[.purchaseorders] = 1
        } _: { rig in
            try await rig.sync()
            if announced == .everything { try await Self.hearOnce(rig) }
            try await Serving.with(rig, random: { 0 }) { serving in
                await serving.scheduler.runDue()
                let before = rig.control.statistics.calls
                for turn in 0..<12 {
                    let isLost = announced == .nothing || (announced == .halfOfInvoices && turn % 2 == 1)
                    try await change(serving, turn, isDelivered: !isLost)
                    try await serving.pass(seconds: 1_800)
                    // The first one that is lost is found by a sweep that was put off.
                    if announced != .everything, turn > 2 { try await expectFresh(rig, turn) }
                    try await serving.pass(seconds: 5_400)
                }
                let calls = rig.control.statistics.calls - before
                let cost = ScheduleCost(
                    .standard, holdings: try await ScheduleCost.holdings(of: rig.mirror), changesPerDay: 12)
                #expect(calls < (announced == .everything ? 500 : 1_950), "\(calls) calls")
                #expect(
                    calls <= (announced == .everything ? cost.withWebhooks : cost.withoutWebhooks), "\(calls) calls")
                #expect(try await rig.mirror.healings().filter(\.state.isOpen) == [])
            }
            for turn in 0..<12 { try await expectFresh(rig, turn) }
        }
    }

    private func change(_ serving: Serving, _ turn: Int, isDelivered: Bool) async throws {
        let rig = serving.rig
        let id = rig.control.id(.invoices, at: turn)
        try rig.control.edit(.invoices, id: id, ["reference_number": .string("R-\(turn)")])
        guard isDelivered else { return }
        let record = try #require(rig.control.record(.invoices, id: id))
        _ = try await rig.mirror.store([
            NewDelivery(
                entity: "invoices", content: .readable(.record, zohoID: id, record: RawJSON(record[...])),
                receivedAt: rig.mirror.now(), requestID: nil)
        ])
        try await serving.processor.drainOnce()
        try await Self.hear(["invoices"], rig)
    }

    private func expectFresh(_ rig: Rig, _ turn: Int) async throws {
        let id = rig.control.id(.invoices, at: turn)
        #expect(
            try await rig.value("select reference_number from invoices where zoho_invoice_id = '\(id)'") == "R-\(turn)")
    }

    /// Every rule that there can be has delivered once, before the day; what comes on the day is what changes.
    private static func hearOnce(_ rig: Rig) async throws {
        try await hear(Catalog.entities.filter { $0.entity.webhookName != nil }.map(\.entity.name), rig)
    }

    private static func hear(_ entities: [String], _ rig: Rig) async throws {
        let now = rig.mirror.now()
        let day = String(Timestamp.text(now).prefix(10))
        try await rig.mirror.add(
            entities.map { Arrival(kind: .received, subject: $0, day: day, number: 1, lastAt: now) })
    }
}
