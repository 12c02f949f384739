import Catalog
import Database
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("Shapes of one record")
struct ShapeTests {
    private static func changedFields(_ mirror: Mirror, of id: String) async throws -> [[String]] {
        try await mirror.changes(after: 0, limit: 1_000).filter { $0.zohoID == id && $0.kind == "updated" }
            .map { $0.fields.sorted() }
    }

    @Test(
        "A detail that lacks one source of children replaces the others, keeps what that one brought, and says so",
        arguments: Engine.allCases)
    func missingSource(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            func addresses() async throws -> [[String?]] {
                try await mirror.texts(
                    "select zoho_address_id, city, address_type from customer_addresses order by zoho_address_id")
            }
            let new = try await mirror.apply(
                [SampleRecord.customer(5).with(["addresses": nil])], .detail, of: "customers", at: time)
            #expect(new.counts == [.inserted: 1])
            #expect(new.faults.map(\.fault.description) == ["customer_addresses: the record has no addresses"])
            #expect(try await addresses() == [["501", "Wien", "billing"], ["502", "Graz", "shipping"]])
            #expect(try await mirror.text("select count(*) from customer_contacts") == "2")

            time.advance(by: 60)
            let whole = SampleRecord.customer(5).with(["addresses": "[\(SampleRecord.address("503", city: "Linz"))]"])
            #expect(try await mirror.apply([whole], .detail, of: "customers", at: time).counts == [.updated: 1])

            time.advance(by: 60)
            let moved = whole.with(["billing_address": SampleRecord.address("501", city: "Bregenz")])
            let partial = moved.with(["addresses": nil, "contact_persons": nil])
            #expect(try await mirror.apply([partial], .detail, of: "customers", at: time).counts == [.updated: 1])
            #expect(
                try await addresses() == [
                    ["501", "Bregenz", "billing"], ["502", "Graz", "shipping"], ["503", "Linz", "additional"],
                ])
            #expect(try await mirror.text("select count(*) from customer_contacts") == "2")
            // The hash is that of all children, said or not.
            #expect(try await mirror.apply([partial], .detail, of: "customers", at: time).counts == [.unchanged: 1])
            #expect(try await mirror.apply([moved], .detail, of: "customers", at: time).counts == [.unchanged: 1])
            let stored = try await mirror.text("select content_hash from customers")
            let mapping = try #require(Catalog.entity(named: "customers"))
            let record = try mapping.rows(of: moved.json, shape: .detail, observedAt: 0)
            let hash = mapping.fingerprint(children: record.children.map { $0 ?? [] })
            #expect(stored.flatMap { Fingerprint($0) }?.children == hash)
        }
    }

    @Test(
        "A key that one shape lacks leaves the column as another one said it; what only details say goes with its key",
        arguments: Engine.allCases)
    func missingKeys(engine: Engine) async throws {
        let time = ManualTime()
        let customers = try #require(Catalog.entity(named: "customers"))
        try await withMirror(engine, time: time) { mirror in
            let list = SampleRecord.customerSummary(5).with(["website": "\"example.org\""])
            let detail = SampleRecord.customer(5).with(["custom_fields": #"[{"api_name":"cf_a","value":"1"}]"#])
            let twins = detail.with(["unused_credits_receivable_amount_formatted": "\"€0.00\""])
            for round in 0..<3 {
                time.advance(by: 3_600)
                _ = try await mirror.apply([list], of: "customers", at: time)
                _ = try await mirror.apply([detail], .detail, of: "customers", at: time)
                _ = try await mirror.store([
                    NewDelivery(
                        entity: "customers", content: .readable(.record, zohoID: "5", record: twins.json),
                        receivedAt: time.now, requestID: nil)
                ])
                let claimed = try await mirror.claim([.record], limit: 9, holder: "a", lease: 60)
                #expect(try await mirror.apply(claimed, of: customers).counts == [.unchanged: 1])
                #expect(try await mirror.text("select website from customers") == "example.org")
                // The insertion, and the first detail.
                #expect(try await mirror.text("select count(*) from sync_changes") == "2", "\(round)")
            }
            time.advance(by: 3_600)
            let emptied = detail.with(["custom_fields": nil, "notes": nil, "website": "\"\""]).modified(60)
            #expect(try await mirror.apply([emptied], .detail, of: "customers", at: time).counts == [.updated: 1])
            #expect(try await mirror.texts("select custom_fields, notes, website from customers") == [[nil, nil, nil]])
        }
    }

    @Test("A custom field whose name sounds like a quantity is the text that it was", arguments: Engine.allCases)
    func customFields(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let fields = #"[{"api_name":"cf_net_weight","value":"12.50"},{"api_name":"cf_zip","value":"01"}]"#
            let record = SampleRecord.product(1).with(["custom_fields": fields])
            try await mirror.apply([record], .detail, at: time)
            time.advance(by: 60)
            let renamed = record.with(["name": "\"New\""]).modified(60)
            #expect(try await mirror.apply([renamed], .detail, at: time).counts == [.updated: 1])
            #expect(try await Self.changedFields(mirror, of: "1") == [["name", "zoho_modified_at"]])
        }
    }

    @Test(
        "A child that has moved to another parent is in the log of the one that lost it, whose hash follows",
        arguments: Engine.allCases)
    func merge(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.customer(5), .customer(6)], .detail, of: "customers", at: time)
            time.advance(by: 60)
            let persons = ["511", "512", "612"].map { SampleRecord.person($0, $0 == "511" ? "Anna" : "Berta") }
            let winner = SampleRecord.customer(5).with(["contact_persons": "[\(persons.joined(separator: ","))]"])
                .modified(60)
            let result = try await mirror.apply([winner], .detail, of: "customers", at: time)
            #expect(result.counts == [.updated: 1])
            #expect(try await Self.changedFields(mirror, of: "6") == [["customer_contacts"]])
            let log = try #require(
                try await mirror.text("select changes from sync_changes where zoho_id = '6' and kind = 'updated'"))
            #expect(log.contains("611") && log.contains("612"))
            let loser = SampleRecord.customer(6).with(["contact_persons": "[\(SampleRecord.person("611", "Anna"))]"])
            #expect(try await mirror.apply([loser], .detail, of: "customers", at: time).counts == [.unchanged: 1])
            let hash = try await mirror.text("select content_hash from customers where zoho_contact_id = '6'")
            #expect(try await mirror.changes(after: 0, limit: 9).last { $0.zohoID == "6" }?.contentHash == hash)
        }
    }

    @Test("A merge that is taken back gives both parents their children again", arguments: Engine.allCases)
    func undoneMerge(engine: Engine) async throws {
        let time = ManualTime()
        let customers = try #require(Catalog.entity(named: "customers"))
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.customer(5), .customer(6)], .detail, of: "customers", at: time, origin: .run(99))
            let before = try await mirror.contents(of: "customers").map { $0.replacing(#/detail_due=\S+/#, with: "") }
            time.advance(by: 60)
            let run = try await mirror.beginRun(of: "customers", kind: .full, options: "{}", holder: "a")
            let winner = SampleRecord.customer(5).with([
                "contact_persons": "[\(SampleRecord.person("511", "Anna")),\(SampleRecord.person("612", "Berta"))]"
            ])
            try await mirror.apply([winner], .detail, of: "customers", at: time, origin: .run(run.id))
            try await mirror.finish(run, .completed)
            let undo = try await mirror.beginRun(
                of: "customers", kind: .undo, options: "{\"undoes\":\(run.id)}", holder: "a")
            let report = try await mirror.undo(run, of: customers, origin: .run(undo.id), isRehearsal: false)
            #expect(report.reverted == 2 && report.leftAlone == 0)
            let after = try await mirror.contents(of: "customers").map { $0.replacing(#/detail_due=\S+/#, with: "") }
            #expect(
                after.map { $0.replacing(#/zoho_data=.*/#, with: "") }
                    == before.map { $0.replacing(#/zoho_data=.*/#, with: "") })
        }
    }

    @Test(
        "A hash of a version with other columns is put right once, and then nothing is written",
        arguments: Engine.allCases)
    func olderHash(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.customer(5)], .detail, of: "customers", at: time)
            let right = try await mirror.text("select content_hash from customers")
            for (shape, record) in [(RecordShape.detail, SampleRecord.customer(5)), (.list, .customerSummary(5))] {
                let parts = try #require(right).split(separator: "-")
                let old = shape == .detail ? "1-2-3" : "1-\(parts[1])-\(parts[2])"
                try await mirror.database.write { try $0.script("update customers set content_hash = '\(old)'") }
                for _ in 0..<2 {
                    time.advance(by: 60)
                    let written = try await Self.versions(mirror, engine)
                    #expect(
                        try await mirror.apply([record], shape, of: "customers", at: time).counts == [.unchanged: 1])
                    #expect(try await mirror.text("select content_hash from customers") == right)
                    let isWritten = try await Self.versions(mirror, engine) != written
                    #expect(isWritten == (written.first?.last == old))
                }
                #expect(try await mirror.text("select count(*) from sync_changes") == "1")
            }
        }
    }

    private static func versions(_ mirror: Mirror, _ engine: Engine) async throws -> [[String?]] {
        try await mirror.texts(
            engine == .postgres
                ? "select xmin::text, ctid::text, content_hash from customers"
                : "select synced_at, observed_at, content_hash from customers")
    }
}
