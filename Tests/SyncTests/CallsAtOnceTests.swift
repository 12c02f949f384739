import Foundation
import Logging
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

/// A ledger whose calls of one kind end only when so many of them have been under way at once.
private final class Gathering: CallLedger {
    private let ledger: InMemoryCallLedger
    private let kind: CallKind
    /// Calls that are still to be made alone.
    private let alone: Mutex<Int>
    private let tickets = Mutex<Set<CallTicket>>([])
    private let isReached = Mutex(false)

    init(_ kind: CallKind, inFlight: Int, alone: Int = 0) {
        var limits = BudgetLimits()
        limits.callsPerMinute = nil
        limits.detailCallsPerMinute = nil
        limits.inFlight = inFlight
        ledger = InMemoryCallLedger(limits: limits)
        self.kind = kind
        self.alone = Mutex(alone)
    }

    var limits: BudgetLimits { ledger.limits }

    func reserve(_ kind: CallKind, _ priority: CallPriority, at now: Date) async throws -> CallDecision {
        let decision = ledger.reserve(kind, priority, at: now)
        let isAlone = alone.withLock { alone in
            guard kind == self.kind, alone > 0 else { return false }
            alone -= 1
            return true
        }
        if case .go(let ticket) = decision, kind == self.kind, !isAlone {
            let number = tickets.withLock {
                $0.insert(ticket)
                return $0.count
            }
            if number == limits.inFlight { isReached.withLock { $0 = true } }
        }
        return decision
    }

    func finish(_ ticket: CallTicket, _ outcome: CallOutcome, at now: Date) async throws {
        if tickets.withLock({ $0.contains(ticket) }) {
            try await waitUntil("\(limits.inFlight) calls are under way") { self.isReached.withLock { $0 } }
        }
        ledger.finish(ticket, outcome, at: now)
        tickets.withLock { _ = $0.remove(ticket) }
    }

    func snapshot(at now: Date) -> BudgetSnapshot { ledger.snapshot(at: now) }
}

@Suite("Calls at once", .timeLimit(.minutes(30)))
struct CallsAtOnceTests {
    private static func compare(
        _ rig: Rig, _ entity: String, _ ledger: Gathering, _ change: (inout ReconciliationOptions) -> Void
    ) async throws -> ReconciliationReport {
        var options = ReconciliationOptions()
        options.entities = [entity]
        change(&options)
        return try await rig.withClient(ledger: ledger) { client in
            try await Reconciler(client: client, mirror: rig.mirror, options: options, process: "test:1").run()
        }
    }

    @Test("A comparison reads as many pages at once as the installation allows")
    func pages() async throws {
        try await Rig.with(.sqlite) {
            $0.counts[.items] = 2_500
        } _: { rig in
            try await rig.sync(["products"]) { $0.includesDetails = false }
            #expect(
                try await Self.compare(rig, "products", Gathering(.list, inFlight: 12, alone: 1)) { $0.sample = 0 }
                    .calls == 13)
        }
    }

    @Test("So does it with what it reads by itself")
    func details() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["invoices"])
            let report = try await Self.compare(rig, "invoices", Gathering(.detail, inFlight: 12)) { $0.isDeep = true }
            #expect(report.isEqual)
        }
    }

    @Test("So does who reads what deliveries have marked")
    func marks() async throws {
        try await Rig.with(.sqlite) { rig in
            _ = try await rig.mirror.store(
                rig.control.ids(.invoices).map {
                    NewDelivery(
                        entity: "invoices", content: .readable(.mark, zohoID: $0, record: nil),
                        receivedAt: rig.mirror.now(), requestID: nil)
                })
            rig.control.advanceClock(by: .seconds(4))
            try await rig.withClient(ledger: Gathering(.detail, inFlight: 12)) { client in
                try await DeliveryProcessor(
                    mirror: rig.mirror, client: client, process: "test:1",
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
                ).drainOnce()
            }
            #expect(try await rig.value("select count(*) from invoices") == "30")
        }
    }
}
