import Database
import Foundation
import Mirror
import Sync
import TestSupport
import Testing
import ZohoSimulator

@Suite("Reconciliation under change")
struct ReconciliationTests {
    @Test(
        "500 records that change while they are listed, a fifth of their webhooks lost, end equal within the announced calls",
        arguments: Engine.allCases)
    func underChange(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.simulator.counts[.items] = 900
            $0.simulator.counts[.contacts] = 500
            $0.simulator.counts[.invoices] = 60
        } _: { rig in
            let synchroniser = Synchroniser(
                client: rig.client, mirror: rig.mirror, options: SyncOptions(), holder: "test:2")
            let synced = try await synchroniser.run()
            #expect(synced.isSuccess)
            var webhooks = rig.control.webhooks
            webhooks.rules = WebhookRule.all(below: "\(rig.address)/api/zoho/webhooks")
            webhooks.secret = ServerRig.secret
            webhooks.namesEvent = true
            webhooks.loss = 0.2
            rig.control.webhooks = webhooks
            rig.control.advanceClock(by: .seconds(60))

            var options = ReconciliationOptions()
            options.repairs = true
            let changes = Task {
                for step in 0..<500 {
                    try Self.change(rig.control, step)
                    if step.isMultiple(of: 10) { try await Task.sleep(for: .milliseconds(2)) }
                }
            }
            let report = try await Reconciler(
                client: rig.client, mirror: rig.mirror, options: options, holder: "test:2",
                onEvent: { event in
                    // The first list was read among the changes; what comes after the next one has seen all of them.
                    if case .listed = event { _ = await changes.result }
                }
            ).run()
            try await changes.value
            try await rig.control.settle()
            try await rig.expect("select count(*) from sync_inbox", gives: "0")
            #expect(report.isEqual, "\(report.entities.map { ($0.entity, $0.findings.note ?? "") })")
            #expect(report.entities.contains { !$0.findings.drift.isEmpty })
            #expect(report.calls <= report.cost.ceiling)
            try await Self.expectCopy(rig)
        }
    }

    private static func change(_ control: SimulatorControl, _ step: Int) throws {
        let text = SimulatorValue(stringLiteral: "step \(step)")
        switch step % 10 {
        case 0, 1, 2: try control.edit(.items, id: control.id(.items, at: step), ["name": text])
        case 3: try control.edit(.invoices, id: control.id(.invoices, at: step % 60), ["reference_number": text])
        case 4: try control.edit(.contacts, id: control.id(.contacts, at: step / 2), ["company_name": text])
        case 5: try control.delete(.items, id: control.id(.items, at: 500 + step / 2))
        case 6: try control.setStock(id: control.id(.items, at: step), to: Double(step))
        case 7:
            try control.merge(
                contacts: [control.id(.contacts, at: 300 + step / 5)], into: control.id(.contacts, at: 499))
        case 8: _ = control.create(.items, ["name": text])
        default: _ = control.create(.contacts, ["contact_name": text])
        }
    }

    /// Expects that the mirror has each record of the simulator and no other, read by Foundation.
    private static func expectCopy(_ rig: ServerRig) async throws {
        let tables: [(SimulatorModule, String, String, [(key: String, column: String)])] = [
            (.items, "products", "zoho_item_id", [("name", "name"), ("stock_on_hand", "stock_quantity")]),
            (.invoices, "invoices", "zoho_invoice_id", [("reference_number", "reference_number")]),
        ]
        for (module, table, key, fields) in tables {
            let ids = rig.control.ids(module).sorted()
            let rows = try await rig.mirror.database.read { transaction in
                try transaction.query(
                    """
                    select \(key), \(fields.map { "cast(\($0.column) as text)" }.joined(separator: ", "))
                    from \(table) where deleted_at is null order by \(key)
                    """
                ).map { row in [row.text(0) ?? ""] + fields.indices.map { row.text($0 + 1) ?? "" } }
            }
            #expect(rows.map { $0[0] } == ids, "\(table)")
            for row in rows {
                let bytes = try #require(rig.control.record(module, id: row[0]))
                let record = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
                for (index, field) in fields.enumerated() {
                    let told = record[field.key].map { "\($0)" } ?? ""
                    #expect(row[index + 1] == told || Double(row[index + 1]) == Double(told), "\(table) \(row[0])")
                }
            }
        }
        let contacts = Set(rig.control.ids(.contacts))
        var mirrored: [String] = []
        for table in ["customers", "vendors"] {
            mirrored += try await rig.mirror.database.read { transaction in
                try transaction.query("select zoho_contact_id from \(table) where deleted_at is null")
                    .compactMap { $0.text(0) }
            }
        }
        #expect(mirrored.count == contacts.count && Set(mirrored) == contacts)
    }
}
