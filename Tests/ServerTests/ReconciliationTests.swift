import Catalog
import Database
import Foundation
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Reconciliation under change")
struct ReconciliationTests {
    /// What a repair says of itself.
    private struct Report {
        let isEqual: Bool
        let calls: Int
        let callsAtMost: Int
        let drifted: Set<String>
        let text: String
    }

    @Test(
        "500 records that change between the pages of every list, a fifth of their webhooks lost, end equal within the announced calls",
        arguments: Engine.allCases)
    func underChange(engine: Engine) async throws {
        let churn = Churn()
        try await ServerRig.with(engine, trustsDeletions: true) {
            $0.simulator.counts = [
                .items: 900, .contacts: 560, .pricebooks: 210, .invoices: 210, .bills: 210, .creditnotes: 210,
                .salesorders: 210, .purchaseorders: 1, .customerpayments: 210,
            ]
            $0.simulator.onPage = { await churn.answered($0, page: $1) }
        } _: { rig in
            let synced = try await Synchroniser(
                client: rig.client, mirror: rig.mirror, options: SyncOptions(), process: "test:2"
            ).run()
            #expect(synced.isSuccess && synced.detailsOutstanding == 0)
            var webhooks = rig.control.webhooks
            webhooks.rules = WebhookRule.all(below: "\(rig.address)/api/zoho/webhooks")
            webhooks.secret = ServerRig.secret
            webhooks.namesEvent = true
            webhooks.loss = 0.2
            // In each list something has changed before of which no webhook tells.
            for module in Churn.modules {
                try rig.control.edit(module, id: rig.control.id(module, at: 1), [Churn.field(module): "unheard of"])
            }
            rig.control.webhooks = webhooks

            let before = rig.control.statistics.calls
            _ = rig.serverCalls.take()
            churn.begin(rig)
            let report = engine == .postgres ? try await Self.command(rig) : try await Self.reconciler(rig)
            let calls = rig.control.statistics.calls - before
            try await rig.control.settle()
            try await rig.expect("select count(*) from sync_inbox", gives: "0")

            #expect(churn.changes >= 500)
            #expect(churn.refusals == 0)
            #expect(report.isEqual, "\(report.text)")
            // Contacts are customers or vendors; every other list has an entity of its own.
            #expect(report.drifted.count >= Churn.modules.count, "\(report.drifted)")
            #expect(calls - rig.serverCalls.take() == report.calls)
            #expect(report.calls <= report.callsAtMost)
            try await Self.expectCopy(rig, engine)
        }
    }

    /// Repairs in this process, as it has to be done beside a server on SQLite.
    private static func reconciler(_ rig: ServerRig) async throws -> Report {
        var options = ReconciliationOptions()
        options.repairs = true
        let report = try await Reconciler(
            client: rig.client, mirror: rig.mirror, options: options, process: "test:2"
        ).run()
        return Report(
            isEqual: report.isEqual, calls: report.calls, callsAtMost: report.cost.ceiling,
            drifted: Set(report.entities.filter { !$0.findings.drift.isEmpty }.map(\.entity)),
            text: "\(report.entities.map { ($0.entity, $0.findings.note ?? "") })")
    }

    /// Repairs as a person does.
    private static func command(_ rig: ServerRig) async throws -> Report {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zohosync-verify-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let output = folder.appending(path: "report.json")
        try Data().write(to: output)
        let process = Process()
        process.executableURL = try #require(Bundle.main.executableURL).deletingLastPathComponent()
            .appending(path: "zohosync")
        process.arguments = ["verify", "--repair", "--json"]
        process.environment = rig.environment.merging(["HOME": folder.path]) { $1 }
        process.currentDirectoryURL = folder
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        let (ended, end) = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in end.finish() }
        try launching { try process.run() }
        for await _ in ended {}
        let text = try String(contentsOf: output, encoding: .utf8)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let entities = try #require(json["entities"] as? [[String: Any]])
        #expect(process.terminationStatus == 0)
        return Report(
            isEqual: try #require(json["equal"] as? Bool), calls: try #require(json["calls"] as? Int),
            callsAtMost: try #require(json["calls_at_most"] as? Int),
            drifted: Set(
                entities.filter { ($0["drift"] as? [Any])?.isEmpty == false }.compactMap { $0["entity"] as? String }),
            text: "\(entities.map { ($0["entity"] ?? "", $0["note"] ?? "") })")
    }

    // MARK: - The copy

    /// Expects that every column and every child row is what an empty mirror holds after it was given each of the
    /// simulator's records, as they are now, without a call.
    private static func expectCopy(_ rig: ServerRig, _ engine: Engine) async throws {
        try await withMirror(engine) { copy in
            for mapping in Catalog.entities {
                let module = try #require(SimulatorModule(rawValue: mapping.entity.module.path))
                for shape in [RecordShape.list, .detail] {
                    var batch = Batch(mapping, origin: .retry)
                    for id in rig.control.ids(module) {
                        let detail = RawJSON(try #require(rig.control.record(module, id: id))[...])
                        guard try mapping.owns(detail) else { continue }
                        let list = RawJSON(try #require(rig.control.listRecord(module, id: id))[...])
                        batch.add(shape == .list ? list : detail, shape: shape, observedAt: shape == .list ? 1 : 2)
                    }
                    for chunk in batch.chunks(of: 200) { _ = try await copy.apply(chunk) }
                }
                let expected = try await rows(of: mapping, in: copy)
                let actual = try await rows(of: mapping, in: rig.mirror)
                let name = mapping.entity.name
                #expect(Set(actual.keys) == Set(expected.keys), "\(name)")
                let different = expected.keys.filter { actual[$0] != expected[$0] }.sorted()
                #expect(different.isEmpty, "\(name): \(different.count), such as \(different.first ?? "")")
                if let id = different.first {
                    let pairs = zip(expected[id] ?? [], actual[id] ?? []).filter { $0 != $1 }
                    Issue.record("\(name) \(id): \(pairs)")
                }
            }
        }
    }

    /// Every column of each row that is there, and of its children, by the Zoho id.
    private static func rows(of mapping: EntityMapping, in mirror: Mirror) async throws -> [String: [String]] {
        let (entity, columns) = (mapping.entity, mapping.columns.map(\.column))
        let parent = entity.name.dropLast() + "_id"
        return try await mirror.database.read { transaction in
            var rows: [String: [String]] = [:]
            let parents = try transaction.query(
                """
                select \(entity.keyColumn), content_hash, detail_due, \(columns.joined(separator: ", "))
                from \(entity.name) where deleted_at is null
                """)
            for row in parents { rows[row.text(0) ?? ""] = row.values.map { "\($0)" } }
            for child in mapping.children {
                let names = [child.child.keyColumn] + child.columns.map(\.column)
                let children = try transaction.query(
                    """
                    select p.\(entity.keyColumn), \(names.map { "c.\($0)" }.joined(separator: ", "))
                    from \(child.child.table) c join \(entity.name) p on p.id = c.\(parent)
                    where p.deleted_at is null order by c.\(child.child.keyColumn)
                    """)
                for row in children {
                    rows[row.text(0) ?? "", default: []].append("\(child.child.table): \(row.values)")
                }
            }
            return rows
        }
    }
}

/// Changes 25 records of a module while each page of its first list is on its way.
private final class Churn: Sendable {
    static let modules: [SimulatorModule] = [
        .items, .contacts, .pricebooks, .invoices, .bills, .creditnotes, .salesorders, .customerpayments,
    ]

    private struct State {
        var rig: ServerRig?
        var lists: [SimulatorModule: Int] = [:]
        var steps: [SimulatorModule: Int] = [:]
        var changes = 0
        var refusals = 0
    }

    private let state = Mutex(State())

    /// How many records were changed.
    var changes: Int { state.withLock { $0.changes } }
    /// Changes that the simulator did not take.
    var refusals: Int { state.withLock { $0.refusals } }

    func begin(_ rig: ServerRig) { state.withLock { $0.rig = rig } }

    /// A key that lists show.
    static func field(_ module: SimulatorModule) -> String {
        switch module {
        case .items: "name"
        case .contacts: "company_name"
        case .pricebooks: "description"
        default: "reference_number"
        }
    }

    func answered(_ module: SimulatorModule, page: Int) async {
        let (rig, list) = state.withLock { state in
            if state.rig != nil, page == 1 { state.lists[module, default: 0] += 1 }
            return (state.rig, state.lists[module] ?? 0)
        }
        guard let rig, Self.modules.contains(module) else { return }
        guard list == 1 else {
            // What was told is applied before the last lists are compared, however slow the machine is.
            try? await rig.control.settle()
            try? await rig.expect("select count(*) from sync_inbox", gives: "0")
            return
        }
        for _ in 0..<25 {
            let step = state.withLock { state in
                defer { state.steps[module, default: 0] += 1 }
                return state.steps[module] ?? 0
            }
            do {
                try Self.change(rig.control, module, step)
                state.withLock { $0.changes += 1 }
            } catch {
                state.withLock { $0.refusals += 1 }
            }
        }
    }

    private static func change(_ control: SimulatorControl, _ module: SimulatorModule, _ step: Int) throws {
        let text = SimulatorValue(stringLiteral: "step \(step)")
        let ids = control.ids(module)
        let id = ids[(step * 37 + 11) % ids.count]
        switch step % 25 {
        case 0..<5: control.create(module, [field(module): text])
        case 5, 6: try control.delete(module, id: id)
        case 7, 8:
            if module == .contacts {
                // Items name vendors, and are not changed by a merger.
                let isOfVendors = step % 25 == 8
                let kind = ids.filter { isVendor(control, $0) == isOfVendors }
                try control.merge(contacts: [kind[step % kind.count]], into: kind[(step + 1) % kind.count])
            } else {
                try control.delete(module, id: id)
            }
        // What the list does not show and no webhook told, only a deep comparison can see.
        case 9..<12 where module == .items && showsStock(control, id): try control.setStock(id: id, to: Double(step))
        default: try control.edit(module, id: id, [field(module): text])
        }
    }

    private static func isVendor(_ control: SimulatorControl, _ id: String) -> Bool {
        control.listRecord(.contacts, id: id).map { String(decoding: $0, as: UTF8.self).contains(#"type":"vendor""#) }
            ?? false
    }

    private static func showsStock(_ control: SimulatorControl, _ id: String) -> Bool {
        guard let record = control.listRecord(.items, id: id),
            let item = try? JSONSerialization.jsonObject(with: Data(record)) as? [String: Any]
        else { return false }
        return item["stock_on_hand"] is NSNumber
    }
}
