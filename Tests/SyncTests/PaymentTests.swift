import Foundation
import Logging
import Mirror
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@testable import Sync

@Suite("Payments by webhook")
struct PaymentTests {
    @Test(
        "A payment that was edited costs no call, its row has the time of the edit, and an older delivery does not undo it",
        arguments: Engine.allCases)
    func edits(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["customer_payments"])
            let id = rig.control.id(.customerpayments, at: 0)
            let modified = "select zoho_modified_at from customer_payments where zoho_payment_id = '\(id)'"
            let description = "select description from customer_payments where zoho_payment_id = '\(id)'"
            try await rig.withClient { client in
                let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
                let processor = DeliveryProcessor(
                    mirror: rig.mirror, client: client, process: "test:1", random: { 0 }, logger: silent)
                func deliver(_ body: [UInt8]) async throws {
                    _ = try await rig.mirror.store([
                        NewDelivery(
                            entity: "customer_payments",
                            content: .readable(.record, zohoID: id, record: RawJSON(body[...])),
                            receivedAt: rig.mirror.now(), requestID: nil)
                    ])
                    try await processor.drainOnce()
                    rig.control.advanceClock(by: .seconds(4))
                    try await processor.drainOnce()
                }
                var bodies: [[UInt8]] = []
                var times: [String?] = [try await rig.value(modified)]
                let calls = try await rig.calls {
                    for text in ["older", "newer"] {
                        try rig.control.edit(.customerpayments, id: id, ["description": .string(text)])
                        bodies.append(try #require(rig.control.record(.customerpayments, id: id)))
                        try await deliver(bodies[bodies.count - 1])
                        #expect(try await rig.value(description) == text)
                        times.append(try await rig.value(modified))
                    }
                    try await deliver(bodies[0])
                }
                #expect(calls == 0)
                #expect(Set(times).count == 3)
                #expect(try await rig.value(description) == "newer")
                #expect(try await rig.value("select count(*) from sync_inbox") == "0")
            }
            let report = try await rig.compare(["customer_payments"]) { $0.isDeep = true }
            #expect(report.entities.allSatisfy { $0.findings.state == .equal })
        }
    }
}
