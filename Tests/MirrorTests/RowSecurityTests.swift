import Catalog
import Database
import Logging
import Mirror
import TestSupport
import Testing

@Suite("Row-level security")
struct RowSecurityTests {
    @Test("A policy that refuses single records has them wait as dead letters until it is mended")
    func refusal() async throws {
        let time = ManualTime()
        try await withRole(
            """
            alter table products enable row level security;
            create policy cheap on products using (true) with check (unit_price < 50);
            """, time
        ) { mirror, restricted, role in
            let records = (1...20).map { SampleRecord.product($0).with(["rate": $0 % 10 == 0 ? "99" : "9"]) }
            let result = try await restricted.apply(records, at: time)
            #expect(result.counts == [.inserted: 18, .failed: 2])
            let letters = try await mirror.deadLetters()
            #expect(letters.map(\.zohoID) == ["10", "20"])
            #expect(letters.allSatisfy { $0.reason.contains("row-level security") })
            #expect(letters.allSatisfy { $0.reason.contains("zohosync doctor") })
            try await mirror.database.write { try $0.script("alter policy cheap on products with check (true)") }
            for letter in letters { #expect(try await restricted.retry(letter) == .applied(.inserted)) }

            try await mirror.database.write { try $0.script("revoke insert on products from \(role)") }
            let denied = await #expect(throws: DatabaseError.self) {
                try await restricted.apply([.product(21)], at: time)
            }
            #expect(denied?.kind == .denied)
            #expect(denied?.description.contains("products") == true)
            #expect(try await mirror.deadLetterCount() == 0)
        }
    }

    @Test("A child row that a policy hides from being deleted has its record refused, and the rest goes in")
    func hiddenFromDelete() async throws {
        let time = ManualTime()
        try await withRole(
            """
            alter table invoice_line_items enable row level security;
            create policy reading on invoice_line_items for select using (true);
            create policy adding on invoice_line_items for insert with check (true);
            create policy changing on invoice_line_items for update using (true) with check (true);
            create policy removing on invoice_line_items for delete using (quantity > 1000);
            """, time
        ) { mirror, restricted, role in
            let before = [SampleRecord.invoice(1, lines: 2), .invoice(2, lines: 2), .invoice(3, lines: 2)]
            #expect(
                try await restricted.apply(before, .detail, of: "invoices", at: time).counts == [.inserted: 3])
            time.advance(by: 60)
            let after = [
                SampleRecord.invoice(1, lines: 1).modified(60), before[1].with(["balance": "7"]).modified(60),
                before[2].with(["balance": "8"]).modified(60),
            ]
            let result = try await restricted.apply(after, .detail, of: "invoices", at: time)
            #expect(result.counts == [.updated: 2, .failed: 1])
            let letter = try #require(try await mirror.deadLetters().first)
            #expect(letter.zohoID == "1" && letter.code == "42501")
            for word in ["invoice_line_items", "row-level-security", "zohosync doctor"] {
                #expect(letter.reason.contains(word))
            }
            #expect(
                try await mirror.texts("select zoho_invoice_id, cast(balance as text) from invoices order by 1")
                    == [["1", "100.1"], ["2", "7"], ["3", "8"]])
            try await mirror.database.write {
                try $0.script("alter policy removing on invoice_line_items using (true)")
            }
            #expect(try await restricted.retry(letter) == .applied(.updated))
            #expect(try await mirror.text("select count(*) from invoice_line_items") == "5")
            #expect(try await mirror.deadLetterCount() == 0)
        }
    }

    @Test("A row that a policy hides from being updated has its record refused, and is not taken for deleted")
    func hiddenFromUpdate() async throws {
        let time = ManualTime()
        try await withRole(
            """
            alter table products enable row level security;
            create policy reading on products for select using (true);
            create policy adding on products for insert with check (true);
            create policy changing on products for update using (zoho_item_id <> '2') with check (true);
            """, time
        ) { mirror, restricted, role in
            try await restricted.apply((1...3).map { .product($0) }, at: time)
            time.advance(by: 60)
            let changed = (1...4).map { SampleRecord.product($0).with(["rate": "9"]).modified(60) }
            #expect(
                try await restricted.apply(changed, at: time).counts == [.updated: 2, .inserted: 1, .failed: 1])
            let letter = try #require(try await mirror.deadLetters().first)
            #expect(letter.zohoID == "2")
            #expect(letter.reason.contains("products") && letter.reason.contains("row-level-security"))
            time.advance(by: 60)
            let products = try #require(Catalog.entity(named: "products"))
            for ids in [["2"], ["1", "2"]] {
                let error = await #expect(throws: DatabaseError.self) {
                    try await restricted.markDeleted(ids, of: products, observedAt: time.now, origin: .run(1))
                }
                #expect(error?.message.contains("row-level-security") == true)
            }
            #expect(try await mirror.text("select count(*) from products where deleted_at is not null") == "0")
            #expect(
                try await restricted.markDeleted(["1"], of: products, observedAt: time.now, origin: .run(1)) == 1)
        }
    }

    @Test(
        "A mirror of which row-level security would hide what is missed without an error is refused with what mends it",
        arguments: [
            "alter table products enable row level security",
            "alter table bill_line_items enable row level security",
            "alter table sync_leases enable row level security",
            "alter table sync_migrations enable row level security",
            """
            alter table bill_line_items enable row level security;
            create policy partly on bill_line_items using (quantity > 1) with check (true)
            """,
            """
            alter table sync_runs enable row level security;
            create policy partly on sync_runs using (true) with check (state <> 'completed')
            """,
        ])
    func prepared(policies: String) async throws {
        try await withRole(policies, ManualTime()) { mirror, restricted, role in
            let prepare = { try await restricted.prepare(organizationID: testOrganisation) }
            let error = await #expect(throws: DatabaseError.self) { try await prepare() }
            #expect(error?.kind == .denied)
            let refused = await #expect(throws: DatabaseError.self) {
                try await restricted.check(organizationID: testOrganisation)
            }
            #expect(refused?.kind == .denied)
            let statement = String(try #require(error?.advice.split(separator: ": ").last))
            #expect(statement.hasPrefix("create policy zohosync_all on zoho."))
            try await mirror.database.write { try $0.script(statement) }
            try await prepare()
        }
    }

    @Test(
        "Policies under which every refusal shows leave the mirror usable",
        arguments: [
            """
            alter table products enable row level security;
            create policy cheap on products using (unit_price < 50);
            """,
            """
            alter table bill_line_items enable row level security;
            create policy reading on bill_line_items for select using (true);
            create policy adding on bill_line_items for insert with check (quantity < 9);
            create policy changing on bill_line_items for update using (quantity < 9);
            create policy removing on bill_line_items for delete using (quantity < 9);
            create policy small on bill_line_items as restrictive for insert with check (quantity < 9);
            """,
            "alter table bill_line_items enable row level security; create policy everything on bill_line_items using (true)",
        ])
    func partial(policies: String) async throws {
        try await withRole(policies, ManualTime()) { mirror, restricted, role in
            try await restricted.prepare(organizationID: testOrganisation)
        }
    }

    @Test("Children that are hidden after the start are not taken for gone: nothing is written until they are seen")
    func hiddenLater() async throws {
        let time = ManualTime()
        try await withRole("", time) { mirror, restricted, role in
            try await restricted.apply([.invoice(1, lines: 2)], .detail, of: "invoices", at: time)
            time.advance(by: 60)
            let emptied = [SampleRecord.invoice(1, lines: 0).modified(60)]
            try await mirror.database.write {
                try $0.script("alter table invoice_line_items enable row level security")
            }
            let error = await #expect(throws: DatabaseError.self) {
                try await restricted.apply(emptied, .detail, of: "invoices", at: time)
            }
            #expect(error?.kind == .denied)
            #expect(error?.advice.contains("create policy zohosync_all on zoho.invoice_line_items") == true)
            #expect(try await mirror.text("select count(*) from invoice_line_items") == "2")
            try await mirror.database.write {
                try $0.script("alter table invoice_line_items disable row level security")
            }
            #expect(
                try await restricted.apply(emptied, .detail, of: "invoices", at: time).counts == [.updated: 1])
            #expect(try await mirror.text("select count(*) from invoice_line_items") == "0")
        }
    }

    @Test("A row that a policy hides from being read has its record refused with what mends it")
    func hiddenFromSelect() async throws {
        let time = ManualTime()
        try await withRole(
            """
            alter table products enable row level security;
            create policy others on products using (zoho_item_id <> '2') with check (true);
            """, time
        ) { mirror, restricted, role in
            try await mirror.apply([.product(2)], at: time)
            time.advance(by: 60)
            #expect(
                try await restricted.apply((1...3).map { .product($0).with(["rate": "9"]).modified(60) }, at: time)
                    .counts == [.inserted: 2, .failed: 1])
            let letter = try #require(try await mirror.deadLetters().first)
            #expect(letter.zohoID == "2")
            #expect(letter.reason.contains("row-level-security") && letter.reason.contains("zohosync doctor"))
        }
    }

    /// Runs a test with a mirror of its own, and the same mirror as a role sees it that owns none of it: no policy binds
    /// the superuser that the tests are.
    private func withRole(
        _ policies: String, _ time: ManualTime,
        _ body: (_ mirror: Mirror, _ restricted: Mirror, _ role: String) async throws -> Void
    ) async throws {
        try await withMirror(.postgres, time: time) { mirror in
            let role = "limited_\(UInt64.random(in: 0 ... .max))"
            try await mirror.database.write { transaction in
                try transaction.script(
                    """
                    create role \(role) nologin;
                    grant usage on schema zoho to \(role);
                    grant select, insert, update, delete on all tables in schema zoho to \(role);
                    grant usage on all sequences in schema zoho to \(role);
                    \(policies)
                    """)
            }
            let restricted = Mirror(
                database: RoleDatabase(base: mirror.database, role: role), now: { time.now },
                logger: Logger(label: "test"))
            try await body(mirror, restricted, role)
            try await mirror.database.write { try $0.script("drop owned by \(role); drop role \(role)") }
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
        try await write(.eventual, body)
    }

    func notifications(of channel: String) -> AsyncStream<Void> { base.notifications(of: channel) }
    func close() async {}
}
