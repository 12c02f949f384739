import Catalog
import Database
import Foundation
import Mirror
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Undo")
struct UndoTests {
    private static let tables = Catalog.entities.flatMap { [$0.entity.name] + $0.children.map(\.child.table) }

    /// What the tables hold, but for our own bookkeeping.
    private static func content(_ rig: Rig) async throws -> [String: [[String?]]] {
        var content: [String: [[String?]]] = [:]
        for mapping in Catalog.entities {
            let name = mapping.entity.name
            let columns = [mapping.entity.keyColumn] + mapping.columns.map(\.column) + ["deleted_at"]
            content[name] = try await rig.rows(
                "select \(columns.joined(separator: ", ")) from \(name) order by \(mapping.entity.keyColumn)")
            for child in mapping.children {
                let columns = [child.child.keyColumn] + child.columns.map(\.column)
                content[child.child.table] = try await rig.rows(
                    "select \(columns.joined(separator: ", ")) from \(child.child.table) order by \(columns[0])")
            }
        }
        return content
    }

    @discardableResult
    private static func undo(_ rig: Rig, _ ids: [Int64], isRehearsal: Bool = false) async throws -> UndoReport {
        let undo = RunUndo(mirror: rig.mirror, process: "test:1")
        var total = UndoReport()
        for id in ids.sorted(by: >) {
            let report = try await undo.undo(id, isRehearsal: isRehearsal, assuming: Set(ids.filter { $0 > id }))
            total.removed += report.removed
            total.reverted += report.reverted
            total.undeleted += report.undeleted
            total.deletedAgain += report.deletedAgain
            total.leftAlone += report.leftAlone
        }
        return total
    }

    private static func runs(_ rig: Rig, after id: Int64) async throws -> [Int64] {
        try await rig.mirror.runs(limit: 1_000).map(\.id).filter { $0 > id }
    }

    /// Edits, deletions, creations and restorations in several modules.
    private static func change(_ rig: Rig) throws {
        rig.control.advanceClock(by: .seconds(600))
        for index in 0..<20 { try rig.control.edit(.items, at: index, ["rate": 99.5, "description": "käse \"1\""]) }
        try rig.control.edit(.items, at: 21, ["description": nil])
        for index in 0..<5 {
            try rig.control.edit(
                .contacts, at: index,
                ["notes": "changed", "billing_address": .json(#"{"address_id":"\#(900 + index)","city":"Ulm"}"#)])
        }
        try rig.control.delete(.items, id: rig.control.id(.items, at: 30))
        try rig.control.delete(.invoices, id: rig.control.id(.invoices, at: 3))
        _ = rig.control.create(.items, ["name": "new"])
    }

    @Test(
        "A mirror after a run that was taken back is as before, children and deletions too", arguments: Engine.allCases)
    func roundTrip(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let deleted = rig.control.id(.items, at: 40)
            try rig.control.delete(.items, id: deleted)
            try await rig.sync { $0.mode = .full }
            try await Self.verify(rig)
            let before = try await Self.content(rig)
            let last = try #require(try await rig.mirror.runs(limit: 1).first).id

            try Self.change(rig)
            try rig.control.restore(.items, id: deleted)
            try await rig.sync { $0.mode = .full }
            try await Self.verify(rig)
            #expect(try await Self.content(rig) != before)

            let runs = try await Self.runs(rig, after: last)
            let planned = try await Self.undo(rig, runs, isRehearsal: true)
            #expect(try await Self.content(rig) != before, "a rehearsal changes nothing")
            let done = try await Self.undo(rig, runs)
            #expect(done == planned)
            #expect(done.removed == 1)
            #expect(done.undeleted == 2)
            #expect(done.deletedAgain == 1)
            #expect(done.reverted >= 26)
            #expect(done.leftAlone == 0)
            let after = try await Self.content(rig)
            for (table, rows) in before {
                #expect(after[table] == rows, "\(table)")
            }
            #expect(try await Self.undo(rig, runs).changed == 0, "twice changes nothing")

            // The next sync has what Zoho says, as if nothing had been.
            try await rig.sync { $0.mode = .full }
            try await Self.verify(rig)
            #expect(
                try await rig.value(
                    "select unit_price from products where zoho_item_id = '\(rig.control.id(.items, at: 0))'") == "99.5"
            )
            #expect(
                try await rig.value("select count(*) from products where name = 'new' and deleted_at is null") == "1")
        }
    }

    @Test(
        "What Zoho sent is not kept from a run that was taken back, until Zoho says it again",
        arguments: Engine.allCases)
    func records(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"])
            let last = try #require(try await rig.mirror.runs(limit: 1).first).id
            let (edited, deleted) = (rig.control.id(.items, at: 0), rig.control.id(.items, at: 1))
            func record(_ id: String) async throws -> String? {
                try await rig.value("select zoho_data from products where zoho_item_id = '\(id)'")
            }
            let before = try #require(try await record(deleted))
            rig.control.advanceClock(by: .seconds(600))
            try rig.control.edit(.items, id: edited, ["rate": 99.5])
            try rig.control.delete(.items, id: deleted)
            try await rig.sync(["products"]) { $0.mode = .full }
            try await Self.verify(rig)
            #expect(try await record(edited)?.contains("99.5") == true)
            try await Self.undo(rig, try await Self.runs(rig, after: last))
            #expect(try await record(edited) == nil)
            #expect(try await record(deleted) == before, "a deletion has not touched it")
            try await rig.sync(["products"])
            #expect(try await record(edited)?.contains("99.5") == true)
        }
    }

    @Test("A record that Zoho says again as it was before the run has what Zoho sent again", arguments: Engine.allCases)
    func sameRecord(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"])
            let last = try #require(try await rig.mirror.runs(limit: 1).first).id
            let id = rig.control.id(.items, at: 0)
            let (list, detail) = (
                try #require(rig.control.listRecord(.items, id: id)), try #require(rig.control.record(.items, id: id))
            )
            rig.control.advanceClock(by: .seconds(600))
            try rig.control.edit(.items, id: id, ["rate": 99.5])
            try await rig.sync(["products"])
            try await Self.undo(rig, try await Self.runs(rig, after: last))
            let mapping = try #require(Catalog.entity(named: "products"))
            for (record, shape, isThere) in [(list, RecordShape.list, false), (detail, .detail, true)] {
                var batch = Batch(mapping, origin: .run(1))
                batch.add(RawJSON(record[...]), shape: shape, observedAt: rig.mirror.now())
                #expect(try await rig.mirror.apply(batch)[.unchanged] == 1)
                let data = try await rig.value("select zoho_data from products where zoho_item_id = '\(id)'")
                #expect((data != nil) == isThere)
            }
        }
    }

    @Test(
        "An undo that ends halfway leaves no cursor behind, so that the next sync brings everything",
        arguments: Engine.allCases)
    func halfway(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"]) { $0.includesDetails = false }
            let run = try #require(try await rig.mirror.runs(limit: 1).first)
            let id = try #require(rig.control.ids(.items).sorted().dropFirst(300).first)
            try await rig.mirror.database.write { transaction in
                switch transaction.dialect {
                case .postgres:
                    try transaction.script(
                        """
                        create function refuse() returns trigger language plpgsql as $$
                        begin raise exception 'not now'; end $$;
                        create trigger refuse before delete on products for each row
                            when (old.zoho_item_id = '\(id)') execute function refuse();
                        """)
                case .sqlite:
                    try transaction.script(
                        """
                        create trigger refuse before delete on products when old.zoho_item_id = '\(id)'
                            begin select raise(abort, 'not now'); end
                        """)
                }
            }
            await #expect(throws: DatabaseError.self) { try await Self.undo(rig, [run.id]) }
            #expect(try await rig.value("select count(*) from products") == "250")
            try await rig.sync(["products"]) { $0.includesDetails = false }
            #expect(try await rig.value("select count(*) from products") == "450")
        }
    }

    /// Finds deletions, and proves that the hashes are right.
    private static func verify(_ rig: Rig) async throws {
        var options = ReconciliationOptions()
        options.repairs = true
        let asked = options
        let report = try await rig.withClient { client in
            try await Reconciler(
                client: client, mirror: rig.mirror, options: asked, process: "test:1", random: { 0.5 }
            ).run()
        }
        #expect(report.isEqual)
    }

    @Test("Records that somebody else has changed since stay as they are", arguments: Engine.allCases)
    func changedSince(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"])
            let last = try #require(try await rig.mirror.runs(limit: 1).first).id
            rig.control.advanceClock(by: .seconds(600))
            for index in 0..<3 { try rig.control.edit(.items, at: index, ["rate": 99.5]) }
            try await rig.sync(["products"])
            let runs = try await Self.runs(rig, after: last)

            rig.control.advanceClock(by: .seconds(600))
            let id = rig.control.id(.items, at: 1)
            try rig.control.edit(.items, id: id, ["name": "by webhook"])
            let mapping = try #require(Catalog.entity(named: "products"))
            let record = try #require(rig.control.record(.items, id: id))
            var batch = Batch(mapping, origin: .deliveries([id: DeliveryReference(id: 1, requestID: nil)]))
            batch.add(RawJSON(record[...]), shape: .detail, observedAt: rig.mirror.now())
            #expect(try await rig.mirror.apply(batch)[.updated] == 1)

            let report = try await Self.undo(rig, runs)
            #expect(report.reverted == 2)
            #expect(report.leftAlone == 1)
            let row = try await rig.rows("select name, unit_price from products where zoho_item_id = '\(id)'").first
            #expect(row == ["by webhook", "99.5"])
        }
    }

    @Test("A whole first load is taken back, its children and dead letters too", arguments: Engine.allCases)
    func wrongOrganisation(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let runs = try await Self.runs(rig, after: 0)
            let report = try await Self.undo(rig, runs)
            #expect(report.leftAlone == 0)
            for table in Self.tables {
                #expect(try await rig.value("select count(*) from \(table)") == "0", "\(table)")
            }
            #expect(try await rig.value("select count(*) from sync_cursors") == "0")
            // The mirror may now be another organisation's.
            try await rig.mirror.prepare(organizationID: "1")
            #expect(try await rig.mirror.organizationID() == "1")
        }
    }

    @Test(
        "Everything is taken back, what deliveries brought too, and the mirror becomes the next organisation's alone",
        arguments: Engine.allCases)
    func everything(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let mapping = try #require(Catalog.entity(named: "products"))
            let id = rig.control.id(.items, at: 0)
            rig.control.advanceClock(by: .seconds(60))
            try rig.control.edit(.items, id: id, ["name": "by webhook"])
            let record = try #require(rig.control.record(.items, id: id))
            var batch = Batch(mapping, origin: .deliveries([id: DeliveryReference(id: 1, requestID: nil)]))
            batch.add(RawJSON(record[...]), shape: .detail, observedAt: rig.mirror.now())
            #expect(try await rig.mirror.apply(batch)[.updated] == 1)
            _ = try await rig.mirror.mark([id], of: mapping)
            try await Self.undo(rig, try await Self.runs(rig, after: 0))
            #expect(try await rig.value("select count(*) from products") == "1", "runs leave it alone")

            let undo = RunUndo(mirror: rig.mirror, process: "test:1")
            let planned = try await undo.undoAll(isRehearsal: true)
            #expect(try await rig.value("select count(*) from products") == "1", "a rehearsal changes nothing")
            let last = try await rig.mirror.lastChangeID()
            let done = try await undo.undoAll(isRehearsal: false)
            #expect(done.map(\.report) == planned.map(\.report))
            let products = try #require(done.first { $0.entity == "products" }?.report)
            #expect(products.removed == 1)
            #expect(products.deliveriesDropped == 1)
            let changes = try await rig.mirror.changes(after: last, limit: 10)
            #expect(changes.map(\.kind) == ["deleted"])
            #expect(changes.map(\.zohoID) == [id])
            for table in Self.tables {
                #expect(try await rig.value("select count(*) from \(table)") == "0", "\(table)")
            }
            try await rig.mirror.prepare(organizationID: "1")
            #expect(try await rig.mirror.organizationID() == "1")
        }
    }

    @Test("Everything comes again with the next sync, and that run can be taken back", arguments: Engine.allCases)
    func everythingAgain(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let before = try await Self.content(rig)
            _ = try await RunUndo(mirror: rig.mirror, process: "test:1").undoAll(isRehearsal: false)
            let last = try #require(try await rig.mirror.runs(limit: 1).first).id
            try await rig.sync()
            #expect(try await Self.content(rig) == before)
            let report = try await Self.undo(rig, try await Self.runs(rig, after: last))
            #expect(report.leftAlone == 0)
            #expect(try await rig.mirror.isEmpty())
        }
    }

    @Test("Everything is not taken back while a server applies what is delivered")
    func served() async throws {
        try await Rig.with(.postgres) { rig in
            try await rig.sync(["pricelists"])
            try await rig.mirror.acquireLease("worker far:1#1", holder: "far:1", duration: 60)
            let undo = RunUndo(mirror: rig.mirror, process: "test:1")
            await #expect(throws: RunUndoError.served(by: "far:1")) { try await undo.undoAll(isRehearsal: false) }
            #expect(try await rig.value("select count(*) from pricelists") == "4")
            rig.control.advanceClock(by: .seconds(61))
            #expect(try await undo.undoAll(isRehearsal: false).reduce(0) { $0 + $1.report.removed } == 4)
        }
    }

    @Test("Nothing that is of the old organisation is left to the new one", arguments: Engine.allCases)
    func nothingLeft(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["pricelists"])
            _ = try await RunUndo(mirror: rig.mirror, process: "test:1").undoAll(isRehearsal: false)
            let mapping = try #require(Catalog.entity(named: "products"))
            _ = try await rig.mirror.mark(["1", "2"], of: mapping)
            let refused = try await rig.mirror.claim([.mark], limit: 1, holder: "w", lease: 60)
            try await rig.mirror.giveUp(refused, reason: "Zoho answers with 500.")
            let now = rig.mirror.now()
            try await rig.mirror.add([
                Arrival(kind: .received, subject: "products", day: "2026-03-02", number: 1, lastAt: now)
            ])
            try await rig.mirror.save([
                HealthRecord(
                    name: "drift", state: "critical", figure: 1, advice: "", parts: nil, checkedAt: now, since: now)
            ])
            try await rig.mirror.save(ScheduleRecord(name: "healing", dueAt: now))
            try await rig.mirror.noteUptime(tolerance: 1)
            try await rig.mirror.noteGone(["1", "2"], of: mapping, at: now)
            let token = try await rig.mirror.makeAPIToken(name: "shop", role: .read).token
            let runs = try await rig.mirror.runs(limit: 100).count
            let logged = try await rig.value("select count(*) from sync_changes")

            try await rig.mirror.prepare(organizationID: "1")
            for table in [
                "cursors", "inbox", "tokens", "budget", "arrivals", "reconciliations", "health", "schedule", "uptime",
                "gone",
            ] {
                #expect(try await rig.value("select count(*) from sync_\(table)") == "0", "\(table)")
            }
            #expect(try await rig.mirror.deadLetterCount() == 0)
            #expect(try await rig.value("select close_reason from sync_dead_letters")?.contains("organisation") == true)
            #expect(try await rig.mirror.runs(limit: 100).count == runs)
            #expect(try await rig.value("select count(*) from sync_changes") == logged)
            #expect(try await rig.value("select count(*) from sync_api_tokens where id = \(token.id)") == "1")
        }
    }

    @Test("The log tells followers what was taken back", arguments: Engine.allCases)
    func log(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["invoices"])
            let last = try await rig.mirror.lastChangeID()
            let run = try #require(try await rig.mirror.runs(limit: 1).first)
            try await Self.undo(rig, [run.id])
            let changes = try await rig.mirror.changes(after: last, limit: 1_000)
            #expect(changes.count == 30)
            #expect(Set(changes.map(\.kind)) == ["deleted"])
            let undo = try #require(try await rig.mirror.runs(limit: 1).first)
            #expect(undo.kind == .undo)
            #expect(undo.state == .completed)
            #expect(Set(changes.map(\.runID)) == [undo.id])
            #expect(undo.progress[.deleted] == 30)
            await #expect(throws: RunUndoError.isUndo(undo.id)) { try await Self.undo(rig, [undo.id]) }
            await #expect(throws: MirrorError.self) { try await Self.undo(rig, [99]) }
        }
    }

    @Test("A run is not taken back while its entity is being read", arguments: Engine.allCases)
    func leased(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["invoices"])
            let run = try #require(try await rig.mirror.runs(limit: 1).first)
            try await rig.mirror.acquireLease("sync invoices", holder: "other:1", duration: 60)
            await #expect(throws: MirrorError.self) { try await Self.undo(rig, [run.id]) }
            #expect(try await rig.value("select count(*) from invoices") == "30")
        }
    }
}
