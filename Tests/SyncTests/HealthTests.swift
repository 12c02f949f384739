import Catalog
import Database
import Foundation
import Logging
import Mirror
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

/// Each test breaks the real thing, and sees the check change and come back.
@Suite("Health")
struct HealthTests {
    /// The checks by name, as a process finds them.
    static func checks(
        _ rig: Rig, _ depth: HealthInspector.Depth = .mirror, thresholds: HealthThresholds = .init(),
        organizationID: String? = nil, expectsWebhooks: Bool = false, freeDisk: Double = 50
    ) async throws -> [String: HealthCheck] {
        try await rig.withClient { client in
            let inspector = HealthInspector(
                mirror: rig.mirror, client: client, organizationID: organizationID, thresholds: thresholds,
                expectsWebhooks: expectsWebhooks, disk: { _ in (freeDisk, 100) })
            return byName(await inspector.inspect(depth))
        }
    }

    static func byName(_ checks: [HealthCheck]) -> [String: HealthCheck] {
        Dictionary(checks.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("A mirror in use is well in every check", arguments: Engine.allCases)
    func well(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let checks = try await Self.checks(rig, .source)
            #expect(checks.values.filter { $0.state != .ok }.map(\.name) == [])
            let names: Set = [
                "database", "database_latency_ms", "disk_used_percent", "schema", "privileges", "row_level_security",
                "organisation", "token", "scopes", "clock_skew_seconds", "inbox_depth", "inbox_age_seconds",
                "dead_letters", "worker_silence_seconds", "leases_stuck", "cursor_age_seconds", "runs_failed",
                "runs_endless", "drift", "deliveries_unreadable", "deliveries_refused", "deliveries_to_unknown_paths",
                "webhooks_today", "silent_webhooks",
            ]
            #expect(names.subtracting(checks.keys) == [])
        }
    }

    // MARK: - The database

    @Test("A PostgreSQL that is stopped is seen, and seen to be back")
    func stopped() async throws {
        try await PostgresServer.withStoppable { server in
            let database = try await openDatabase(
                DatabaseLocation(server.url), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            let mirror = Mirror(database: database, now: { 0 }, logger: Logger(label: "test"))
            try await mirror.prepare(organizationID: testOrganisation)
            let inspector = HealthInspector(mirror: mirror, client: nil, organizationID: testOrganisation)
            #expect(Self.byName(await inspector.inspect(.mirror))["database"]?.state == .ok)
            try await server.stop()
            let broken = Self.byName(await inspector.inspect(.mirror))
            #expect(broken["database"]?.state == .critical)
            #expect(broken["database"]?.advice.contains("DATABASE_URL") == true)
            try await server.start()
            #expect(Self.byName(await inspector.inspect(.mirror))["database"]?.state == .ok)
            await database.close()
        }
    }

    @Test("Slowness and a full disk are judged by thresholds that can be set", arguments: Engine.allCases)
    func thresholds(engine: Engine) async throws {
        try await Rig.with(engine) { rig async throws -> Void in
            var thresholds = HealthThresholds()
            thresholds.set("database_latency_ms", warning: 0)
            #expect(
                try await Self.checks(rig, thresholds: thresholds)["database_latency_ms"]?.state == .warning)
            let disk = { try await Self.checks(rig, thresholds: $0, freeDisk: $1)["disk_used_percent"] }
            #expect(try await disk(thresholds, 16)?.state == .ok)
            #expect(try await disk(thresholds, 10)?.state == .warning)
            #expect(try await disk(thresholds, 4)?.state == .critical)
            thresholds.set("disk_used_percent", warning: 97, critical: 99)
            #expect(try await disk(thresholds, 4)?.state == .ok)
        }
    }

    @Test("A missing table is seen", arguments: Engine.allCases)
    func schema(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.mirror.database.write { try $0.script("alter table product_prices rename to elsewhere") }
            let check = try await Self.checks(rig)["schema"]
            #expect(check?.state == .critical)
            #expect(check?.advice.contains("product_prices") == true)
            try await rig.mirror.database.write { try $0.script("alter table elsewhere rename to product_prices") }
            #expect(try await Self.checks(rig)["schema"]?.state == .ok)
        }
    }

    /// Runs a test as a role that owns nothing, beside the owner.
    private static func withRole(
        _ body: (_ inspector: HealthInspector, _ owner: any SQLDatabase, _ role: String) async throws -> Void
    ) async throws {
        try await withLocation(.postgres) { location in
            guard case .postgres(let url) = location else { return }
            let role = "reader_\(UInt32.random(in: 0 ... .max))"
            try await withDatabase(at: location) { owner in
                let mirror = Mirror(database: owner, now: { 0 }, logger: Logger(label: "test"))
                try await mirror.prepare(organizationID: testOrganisation)
                try await owner.write { transaction in
                    try transaction.script(
                        """
                        create role \(role) login;
                        grant usage on schema zoho to \(role);
                        grant all on all tables in schema zoho to \(role);
                        grant usage on all sequences in schema zoho to \(role);
                        """)
                }
                let theirs = DatabaseLocation.postgres(url: url.replacing("//postgres@", with: "//\(role)@"))
                try await withDatabase(at: theirs, access: .readOnly) { database in
                    let inspector = HealthInspector(
                        mirror: Mirror(database: database, now: { 0 }, logger: Logger(label: "test")), client: nil,
                        organizationID: testOrganisation)
                    try await body(inspector, owner, role)
                }
                try await owner.write { try $0.script("drop owned by \(role); drop role \(role)") }
            }
        }
    }

    @Test("A revoked grant is seen with the statement that gives it back, which works")
    func privileges() async throws {
        try await Self.withRole { inspector, owner, role in
            #expect(Self.byName(await inspector.inspect(.mirror))["privileges"]?.state == .ok)
            try await owner.write { try $0.script("revoke insert, update on zoho.products from \(role)") }
            let check = try #require(Self.byName(await inspector.inspect(.mirror))["privileges"])
            #expect(check.state == .critical)
            let statement = try #require(check.advice.split(separator: ": ").last)
            #expect(statement.contains("grant insert, update on"))
            try await owner.write { try $0.script(String(statement)) }
            #expect(Self.byName(await inspector.inspect(.mirror))["privileges"]?.state == .ok)
        }
    }

    @Test("Row-level security that would refuse rows is seen with the policy that mends it, which works")
    func rowLevelSecurity() async throws {
        try await Self.withRole { inspector, owner, role in
            #expect(Self.byName(await inspector.inspect(.mirror))["row_level_security"]?.state == .ok)
            try await owner.write { transaction in
                try transaction.script(
                    """
                    alter table zoho.products enable row level security;
                    create policy cheap on zoho.products for all to \(role) using (unit_price < 100);
                    """)
            }
            let check = try #require(Self.byName(await inspector.inspect(.mirror))["row_level_security"])
            #expect(check.state == .critical)
            let statement = try #require(check.advice.split(separator: ": ").last)
            #expect(statement.contains("create policy"))
            try await owner.write { try $0.script(String(statement)) }
            #expect(Self.byName(await inspector.inspect(.mirror))["row_level_security"]?.state == .ok)
        }
    }

    @Test("A restrictive policy, which no other policy mends, is got round by the statement that is told")
    func restrictivePolicy() async throws {
        try await Self.withRole { inspector, owner, role in
            try await owner.write { transaction in
                try transaction.script(
                    """
                    alter table zoho.products enable row level security;
                    create policy everything on zoho.products for all to public using (true);
                    create policy harmless on zoho.products as restrictive for all to public using (true);
                    """)
            }
            #expect(Self.byName(await inspector.inspect(.mirror))["row_level_security"]?.state == .ok)
            try await owner.write {
                try $0.script(
                    "create policy dear on zoho.products as restrictive for insert with check (unit_price > 9)")
            }
            let check = try #require(Self.byName(await inspector.inspect(.mirror))["row_level_security"])
            #expect(check.state == .critical)
            let statement = try #require(check.advice.split(separator: ": ").last)
            #expect(statement == "alter role \(role) bypassrls")
            try await owner.write { try $0.script(String(statement)) }
            #expect(Self.byName(await inspector.inspect(.mirror))["row_level_security"]?.state == .ok)
        }
    }

    @Test("A role that may not make the mirror is told which right it lacks")
    func creation() async throws {
        try await withLocation(.postgres) { location in
            guard case .postgres(let url) = location else { return }
            let role = "maker_\(UInt32.random(in: 0 ... .max))"
            try await withDatabase(at: location, access: .readOnly) { _ in }
            try await withDatabase(at: location) { owner in
                try await owner.write { try $0.script("drop schema zoho; create role \(role) login") }
                let theirs = DatabaseLocation.postgres(url: url.replacing("//postgres@", with: "//\(role)@"))
                try await withDatabase(at: theirs, access: .readOnly) { database in
                    let inspector = HealthInspector(
                        mirror: Mirror(database: database, now: { 0 }, logger: Logger(label: "test")), client: nil,
                        organizationID: testOrganisation)
                    let check = try #require(Self.byName(await inspector.inspect(.mirror))["schema"])
                    #expect(check.state == .critical)
                    let statement = try #require(check.advice.split(separator: ": ").last)
                    try await owner.write { try $0.script(String(statement)) }
                    #expect(Self.byName(await inspector.inspect(.mirror))["schema"]?.state == .warning)
                }
                try await owner.write { try $0.script("drop owned by \(role); drop role \(role)") }
            }
        }
    }

    @Test("A mirror of another organisation is seen", arguments: Engine.allCases)
    func organisation(engine: Engine) async throws {
        try await Rig.with(engine) { rig async throws -> Void in
            let own = rig.control.configuration.organizationID
            #expect(try await Self.checks(rig, organizationID: "1")["organisation"]?.state == .ok, "it is empty")
            try await rig.sync(["pricelists"])
            #expect(try await Self.checks(rig, organizationID: own)["organisation"]?.state == .ok)
            #expect(try await Self.checks(rig, organizationID: "1")["organisation"]?.state == .critical)
        }
    }

    // MARK: - Zoho

    @Test("A refresh token that is revoked is critical; an expired access token is renewed by healing")
    func token() async throws {
        try await Rig.with(.sqlite) { rig in
            #expect(try await Self.checks(rig, .access)["token"]?.state == .ok)
            rig.control.advanceClock(by: .seconds(7_200))
            #expect(try await HealTests.heal(rig)["refresh_token"]?.changed == 1)
            #expect(try await HealTests.heal(rig)["refresh_token"] == nil)
            rig.control.revokeTokens()
            rig.control.advanceClock(by: .seconds(7_200))
            let check = try await Self.checks(rig, .access)["token"]
            #expect(check?.state == .critical)
            #expect(check?.advice.contains("ZOHO_REFRESH_TOKEN") == true)
            let failed = try await HealTests.heal(rig)["refresh_token"]
            #expect(failed?.isDone == false)
            #expect(try await rig.mirror.healings().first?.outcome.hasPrefix(HealingRecord.failure) == true)
        }
    }

    @Test("A missing scope and a missing right to the organisation are told module by module")
    func scopes() async throws {
        try await Rig.with(.sqlite) {
            $0.oauth.scopes = ["ZohoBooks.contacts.READ", "ZohoBooks.settings.READ", "ZohoBooks.invoices.READ"]
        } _: { rig in
            let check = try await Self.checks(rig, .source)["scopes"]
            #expect(check?.state == .critical)
            #expect(check?.parts?["ZohoBooks.bills.READ"] == 1)
            #expect(check?.parts?["ZohoBooks.contacts.READ"] == nil)
            #expect(check?.advice.contains("zohosync auth scopes") == true)
        }
    }

    @Test("A clock that goes wrong is seen against Zoho's")
    func clock() async throws {
        try await Rig.with(.sqlite) { rig in
            #expect(try await Self.checks(rig, .source)["clock_skew_seconds"]?.state == .ok)
            // The simulator's answers are dated by the real clock.
            rig.control.advanceClock(by: .seconds(120))
            #expect(try await Self.checks(rig, .source)["clock_skew_seconds"]?.state == .warning)
            rig.control.advanceClock(by: .seconds(600))
            let check = try await Self.checks(rig, .source)["clock_skew_seconds"]
            #expect(check?.state == .critical)
            #expect(check?.advice.contains("ahead of") == true)
        }
    }

    @Test("A day whose calls will not last is foreseen, and one whose calls are gone is critical")
    func budget() async throws {
        try await Rig.with(.sqlite) {
            $0.limits.callsPerDay = 100
        } _: { rig in
            #expect(try await Self.checks(rig, .source)["budget_forecast_percent"]?.figure ?? 0 > 0)
            try await rig.withClient { client in
                for _ in 0..<92 {
                    _ = try await client.page(
                        1, of: ListRequest(path: "items", listKey: "items"), priority: .interactive)
                }
            }
            let check = try await Self.checks(rig, .access)["budget_forecast_percent"]
            #expect(check?.state == .critical)
            #expect(check?.parts?["left"] == 0)
        }
    }

    // MARK: - The work

    @Test("A full inbox and an old delivery are seen, and gone when they are worked on", arguments: Engine.allCases)
    func inbox(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func deliver(_ number: Int) async throws {
                let deliveries = try (0..<number).map { index in
                    let id = rig.control.id(.items, at: index)
                    let record = try #require(rig.control.record(.items, id: id))
                    return NewDelivery(
                        entity: "products", content: .readable(.record, zohoID: id, record: RawJSON(record[...])),
                        receivedAt: rig.mirror.now(), requestID: nil)
                }
                _ = try await rig.mirror.store(deliveries)
            }
            try await deliver(51)
            #expect(try await Self.checks(rig)["inbox_depth"]?.state == .warning)
            try await deliver(150)
            #expect(try await Self.checks(rig)["inbox_depth"]?.state == .critical)
            rig.control.advanceClock(by: .seconds(1_801))
            #expect(try await Self.checks(rig)["inbox_age_seconds"]?.state == .warning)
            rig.control.advanceClock(by: .seconds(5_400))
            #expect(try await Self.checks(rig)["inbox_age_seconds"]?.state == .critical)
            try await rig.withClient { client in
                try await DeliveryProcessor(
                    mirror: rig.mirror, client: client, holder: "test:1", logger: Logger(label: "test")
                ).drainOnce()
            }
            let checks = try await Self.checks(rig)
            #expect(checks["inbox_depth"]?.state == .ok)
            #expect(checks["inbox_age_seconds"]?.state == .ok)
        }
    }

    @Test("An entity that was not looked at for long is seen until the next sync", arguments: Engine.allCases)
    func cursors(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            #expect(try await Self.checks(rig)["cursor_age_seconds"]?.state == .warning, "nothing was loaded yet")
            try await rig.sync()
            rig.control.advanceClock(by: .seconds(7 * 3_600))
            #expect(try await Self.checks(rig)["cursor_age_seconds"]?.state == .warning)
            rig.control.advanceClock(by: .seconds(20 * 3_600))
            #expect(try await Self.checks(rig)["cursor_age_seconds"]?.state == .critical)
            try await rig.sync()
            #expect(try await Self.checks(rig)["cursor_age_seconds"]?.state == .ok)
        }
    }

    @Test("A run that failed is seen until one has worked", arguments: Engine.allCases)
    func failedRuns(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            try await rig.mirror.database.write { try $0.script("alter table bills rename to elsewhere") }
            try rig.control.edit(.bills, at: 0, ["reference_number": "R-1"])
            _ = try? await rig.sync(["bills"])
            try await rig.mirror.database.write { try $0.script("alter table elsewhere rename to bills") }
            let check = try await Self.checks(rig)["runs_failed"]
            #expect(check?.state == .warning)
            #expect(check?.parts == ["bills": 1])
            try await rig.sync(["bills"])
            #expect(try await Self.checks(rig)["runs_failed"]?.state == .ok)
        }
    }

    // MARK: - Webhooks

    @Test("Changes that no webhook announced are seen, entity by entity", arguments: Engine.allCases)
    func silence(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            rig.control.advanceClock(by: .seconds(60))
            for index in 0..<5 { try rig.control.edit(.items, at: index, ["rate": 99.5]) }
            try await rig.sync()
            #expect(
                try await Self.checks(rig)["silent_webhooks"]?.state == .ok, "nobody expects webhooks")
            let check = try await Self.checks(rig, expectsWebhooks: true)["silent_webhooks"]
            #expect(check?.state == .warning)
            #expect(check?.parts == ["products": 5])
            #expect(check?.advice.contains("no webhook came for products") == true)
            rig.control.advanceClock(by: .seconds(86_500))
            #expect(try await Self.checks(rig, expectsWebhooks: true)["silent_webhooks"]?.state == .ok)
        }
    }

    @Test("What is turned away, and the day's webhooks, are counted across restarts", arguments: Engine.allCases)
    func arrivals(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let time = rig.mirror.now()
            let day = String(Timestamp.text(time).prefix(10))
            func add(_ kind: Arrival.Kind, _ subject: String, _ number: Int) async throws {
                try await rig.mirror.add([
                    Arrival(kind: kind, subject: subject, day: day, number: number, lastAt: time)
                ])
            }
            try await add(.received, "products", 801)
            try await add(.refused, "invoices", 1)
            try await add(.unreadable, "invoices", 1)
            try await add(.unknownPath, "/old", 60)
            try await add(.unknownPath, "/old", 60)
            let checks = try await Self.checks(rig)
            #expect(checks["webhooks_today"]?.state == .warning)
            #expect(checks["deliveries_refused"]?.state == .warning)
            #expect(checks["deliveries_unreadable"]?.state == .warning)
            #expect(checks["deliveries_to_unknown_paths"]?.state == .critical)
            #expect(checks["deliveries_to_unknown_paths"]?.parts == ["/old": 120])
            try await add(.received, "invoices", 150)
            #expect(try await Self.checks(rig)["webhooks_today"]?.state == .critical)
            rig.control.advanceClock(by: .seconds(86_401))
            let later = try await Self.checks(rig)
            #expect(later["webhooks_today"]?.state == .ok)
            #expect(later["deliveries_to_unknown_paths"]?.state == .ok)
        }
    }
}
