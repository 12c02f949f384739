import Catalog
import Database
import Logging
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("Records that cannot be applied")
struct IsolationTests {
    @Test("Of 200 records, those that the database refuses cost themselves alone and are kept whole")
    func poison() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            try await mirror.database.write {
                try $0.script("alter table products add constraint no_x check (name not like 'x%')")
            }
            let records = (1...200).map { id in
                [7, 8, 120].contains(id) ? SampleRecord.product(id).with(["name": "\"x\(id)\""]) : .product(id)
            }
            let result = try await mirror.apply(records, at: time)
            #expect(result.counts == [.inserted: 197, .failed: 3])
            #expect(try await mirror.text("select count(*) from products") == "197")
            #expect(try await mirror.text("select count(*) from sync_changes") == "197")
            let letters = try await mirror.deadLetters()
            #expect(letters.map(\.zohoID) == ["7", "8", "120"])
            #expect(letters.allSatisfy { $0.code == "23514" && $0.reason.contains("no_x") })
            #expect(Array(letters[0].record.bytes) == Array(records[6].json.bytes))

            #expect(try await mirror.retry(letters[0]) == .applied(.failed))
            #expect(try await mirror.deadLetters().first { $0.zohoID == "7" }?.attempts == 2)
            try await mirror.database.write { try $0.script("alter table products drop constraint no_x") }
            for letter in try await mirror.deadLetters() {
                #expect(try await mirror.retry(letter) == .applied(.inserted))
            }
            #expect(try await mirror.deadLetterCount() == 0)
            #expect(try await mirror.text("select count(*) from products") == "200")
        }
    }

    @Test(
        "A record that cannot become rows is kept; a good one of the same id takes its letter away",
        arguments: Engine.allCases)
    func unreadable(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let broken = SampleRecord.product(3).with(["last_modified_time": "\"yesterday\""])
            let nameless = SampleRecord.product(4).with(["item_id": nil])
            let result = try await mirror.apply([.product(1), broken, nameless], at: time)
            #expect(result[.inserted] + result[.failed] == 3)
            #expect(result[.failed] >= 1)
            let letters = try await mirror.deadLetters()
            #expect(letters.contains { $0.zohoID == nil && $0.reason.contains("item_id") })
            try await mirror.apply([.product(3)], at: time)
            #expect(try await mirror.deadLetters().allSatisfy { $0.zohoID == nil })
        }
    }

    @Test(
        "A record with a character that no database text holds is a dead letter, and the rest goes in",
        arguments: Engine.allCases)
    func zeroCharacter(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let record = SampleRecord.product(2).with(["name": "\"a\\u0000b\""])
            let result = try await mirror.apply([.product(1), record, .product(3)], at: time)
            #expect(result.counts.values.reduce(0, +) == 3)
            let kept = try await mirror.texts("select zoho_item_id from products order by 1").map { $0[0] }
            if engine == .postgres {
                #expect(kept == ["1", "3"])
                #expect(try await mirror.deadLetters().map(\.zohoID) == ["2"])
            } else {
                #expect(kept == ["1", "2", "3"])
            }
        }
    }

    @Test("Row-level security refuses single records: they wait as dead letters until the policy is mended")
    func rowLevelSecurity() async throws {
        try await withLocation(.postgres) { location in
            try await withDatabase(at: location) { owner in
                let time = ManualTime()
                let mirror = Mirror(database: owner, now: { time.now }, logger: Logger(label: "test"))
                try await mirror.prepare(organizationID: testOrganisation)
                try await owner.write { transaction in
                    try transaction.script(
                        """
                        create role limited_\(UInt32.random(in: 0 ..< .max)) nologin;
                        alter table products enable row level security;
                        alter table products force row level security;
                        create policy cheap on products using (true) with check (unit_price < 50);
                        """)
                }
                // The owner is a superuser, whom no policy binds: the mirror is written as another role.
                let role = try #require(
                    try await owner.read {
                        try $0.query("select rolname::text from pg_roles where rolname like 'limited%'").last?.text(0)
                    })
                try await owner.write { transaction in
                    try transaction.script(
                        """
                        grant usage on schema zoho to \(role);
                        grant select, insert, update, delete on all tables in schema zoho to \(role);
                        grant usage on all sequences in schema zoho to \(role);
                        """)
                }
                let restricted = Mirror(
                    database: RoleDatabase(base: owner, role: role), now: { time.now }, logger: Logger(label: "test"))
                let records = (1...20).map { SampleRecord.product($0).with(["rate": $0 % 10 == 0 ? "99" : "9"]) }
                let result = try await restricted.apply(records, at: time)
                #expect(result.counts == [.inserted: 18, .failed: 2])
                let letters = try await mirror.deadLetters()
                #expect(letters.map(\.zohoID) == ["10", "20"])
                #expect(letters.allSatisfy { $0.reason.contains("row-level security") })
                try await owner.write { try $0.script("alter policy cheap on products with check (true)") }
                for letter in letters { #expect(try await restricted.retry(letter) == .applied(.inserted)) }

                try await owner.write { try $0.script("revoke insert on products from \(role)") }
                let denied = await #expect(throws: DatabaseError.self) {
                    try await restricted.apply([.product(21)], at: time)
                }
                #expect(denied?.kind == .denied)
                #expect(denied?.description.contains("products") == true)
                #expect(try await mirror.deadLetterCount() == 0)
                try await owner.write { try $0.script("drop owned by \(role); drop role \(role)") }
            }
        }
    }

    @Test("What commits alongside commits with the records or not at all", arguments: Engine.allCases)
    func alongside(engine: Engine) async throws {
        struct Stop: Error {}
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            var batch = Batch(try #require(Catalog.entity(named: "products")), origin: .run(1))
            batch.add(SampleRecord.product(1).json, shape: .list, observedAt: time.now)
            await #expect(throws: Stop.self) {
                try await mirror.apply(batch) { transaction, _ in
                    var cursor = Cursor(entity: "products")
                    cursor.resumePage = 2
                    try transaction.save(cursor)
                    throw Stop()
                }
            }
            #expect(try await mirror.text("select count(*) from products") == "0")
            #expect(try await mirror.cursor(of: "products").resumePage == nil)
        }
    }
}

/// A database whose transactions run as another role.
private struct RoleDatabase: SQLDatabase {
    let base: any SQLDatabase
    let role: String

    var dialect: Dialect { base.dialect }
    var writers: Int { base.writers }

    func write<T: Sendable>(
        _ durability: Durability, _ body: @Sendable (any SQLTransaction) throws -> T
    ) async throws -> T {
        let role = role
        return try await base.write(durability) { transaction in
            try transaction.script("set local role \(role)")
            return try body(transaction)
        }
    }

    func read<T: Sendable>(_ body: @Sendable (any SQLTransaction) throws -> T) async throws -> T {
        try await base.read(body)
    }

    func notifications(of channel: String) -> AsyncStream<Void> { base.notifications(of: channel) }
    func close() async {}
}
