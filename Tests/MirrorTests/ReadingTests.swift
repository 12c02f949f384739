import Catalog
import Database
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("Readings that deliveries ask for")
struct ReadingTests {
    private static let vendor = SampleRecord.customer(1).with(["contact_type": "\"vendor\""])

    private static func store(
        _ kind: InboxEntry.Kind, of entity: String, _ id: String = "1", in mirror: Mirror, at time: ManualTime
    ) async throws -> [InboxEntry] {
        _ = try await mirror.store([
            NewDelivery(
                entity: entity, content: .readable(kind, zohoID: id, record: nil), receivedAt: time.now,
                requestID: "r-\(id)")
        ])
        let receivedAt = time.now
        time.advance(by: 4)
        return try await mirror.claim([.mark, .deletion], limit: 9, holder: "a", lease: 60).filter {
            $0.receivedAt == receivedAt
        }
    }

    @Test(
        "A contact that is gone is gone from both tables in one commit, or the entry stays", arguments: Engine.allCases)
    func wholeDeletion(engine: Engine) async throws {
        let time = ManualTime()
        let customers = try #require(Catalog.entity(named: "customers"))
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([Self.vendor], .detail, of: "vendors", at: time)
            try await mirror.database.write { try $0.refuseUpdates(of: "vendors") }
            let deletions = try await Self.store(.deletion, of: "customers", in: mirror, at: time)
            let reading = Reading(records: [], gone: ["1"], goneAt: time.now)
            await #expect(throws: DatabaseError.self) {
                try await mirror.apply(reading, for: deletions, of: customers)
            }
            #expect(try await mirror.inboxDepth().count == 1)
            #expect(try await mirror.text("select count(*) from vendors where deleted_at is null") == "1")

            try await mirror.database.write { try $0.allowUpdates(of: "vendors") }
            let result = try await mirror.apply(reading, for: deletions, of: customers)
            #expect(result.outcomes.filter { !$0.result.counts.isEmpty }.map(\.entity) == ["vendors"])
            #expect(result.outcomes.map { $0.result[.deleted] }.reduce(0, +) == 1)
            #expect(try await mirror.inboxDepth().count == 0)
            #expect(try await mirror.text("select count(*) from vendors where deleted_at is null") == "0")
            #expect(
                try await mirror.texts("select entity, kind, request_id from sync_changes order by id")
                    == [["vendors", "inserted", nil], ["vendors", "deleted", "r-1"]])
        }
    }

    @Test("An answer that is about no record that was asked for settles nothing", arguments: Engine.allCases)
    func unanswered(engine: Engine) async throws {
        let time = ManualTime()
        let customers = try #require(Catalog.entity(named: "customers"))
        try await withMirror(engine, time: time) { mirror in
            let marks = try await Self.store(.mark, of: "customers", in: mirror, at: time)
            for record in [Self.vendor.with(["contact_type": "\"employee\""]), SampleRecord.customer(2)] {
                let result = try await mirror.apply(
                    Reading(records: [(record.json, time.now)], gone: [], goneAt: 0), for: marks, of: customers)
                #expect(result.unanswered == marks)
                #expect(try await mirror.inboxDepth().count == 1)
            }
            let result = try await mirror.apply(
                Reading(records: [(Self.vendor.json, time.now)], gone: [], goneAt: 0), for: marks, of: customers)
            #expect(result.unanswered.isEmpty)
            #expect(try await mirror.text("select zoho_contact_id from vendors") == "1")
            #expect(try await mirror.inboxDepth().count == 0)
        }
    }

    @Test("A deletion does not settle a record that was seen later", arguments: Engine.allCases)
    func contradicted(engine: Engine) async throws {
        let time = ManualTime()
        let products = try #require(Catalog.entity(named: "products"))
        try await withMirror(engine, time: time) { mirror in
            let deletions = try await Self.store(.deletion, of: "products", in: mirror, at: time)
            try await mirror.apply([.product(1)], .detail, at: time)
            let early = try await mirror.apply(
                Reading(records: [], gone: ["1"], goneAt: time.now - 1), for: deletions, of: products)
            #expect(early.contradicted == deletions)
            #expect(try await mirror.inboxDepth().count == 1)
            #expect(try await mirror.text("select deleted_at from products") == nil)
            time.advance(by: 1)
            let late = try await mirror.apply(
                Reading(records: [], gone: ["1"], goneAt: time.now), for: deletions, of: products)
            #expect(late.contradicted.isEmpty)
            #expect(late.outcomes.map { $0.result[.deleted] } == [1])
            #expect(try await mirror.inboxDepth().count == 0)
        }
    }

    @Test("What was delivered while a reading of the same second was under way stays", arguments: Engine.allCases)
    func overtaken(engine: Engine) async throws {
        let time = ManualTime()
        let products = try #require(Catalog.entity(named: "products"))
        try await withMirror(engine, time: time) { mirror in
            let marks = try await Self.store(.mark, of: "products", in: mirror, at: time)
            let departedAt = time.now
            time.advance(by: 0.1)
            _ = try await mirror.store([
                NewDelivery(
                    entity: "products",
                    content: .readable(.record, zohoID: "1", record: SampleRecord.product(1).with(["rate": "2"]).json),
                    receivedAt: time.now, requestID: nil)
            ])
            let delivered = try await mirror.claim([.record], limit: 9, holder: "b", lease: 60)
            #expect(try await mirror.apply(delivered, of: products).counts == [.inserted: 1])
            time.advance(by: 0.1)
            let result = try await mirror.apply(
                Reading(records: [(SampleRecord.product(1).json, departedAt)], gone: [], goneAt: 0), for: marks,
                of: products)
            #expect(result.outcomes.map(\.result.counts) == [[.stale: 1]])
            #expect(try await mirror.text("select unit_price from products") == "2")
            #expect(try await mirror.inboxDepth().count == 0)
        }
    }
}

extension SQLTransaction {
    /// Has the database refuse every update of a table.
    fileprivate func refuseUpdates(of table: String) throws {
        switch dialect {
        case .postgres:
            try script(
                """
                create function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$;
                create trigger refuse before update on \(table) for each row execute function refuse();
                """)
        case .sqlite:
            try script("create trigger refuse before update on \(table) begin select raise(abort, 'refused'); end;")
        }
    }

    fileprivate func allowUpdates(of table: String) throws {
        try script("drop trigger refuse\(dialect == .postgres ? " on \(table)" : "")")
    }
}
