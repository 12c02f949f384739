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

    static func healer(
        _ rig: Rig, _ client: ZohoBooksClient, _ change: (inout HealingOptions) -> Void = { _ in }
    ) -> Healer {
        var options = HealingOptions()
        options.isAskedFor = true
        change(&options)
        let isDead: @Sendable (String) -> Bool = { $0.hasPrefix("dead") }
        return Healer(
            mirror: rig.mirror, client: client, options: options, holder: "test:1", isDead: isDead,
            processor: DeliveryProcessor(
                mirror: rig.mirror, client: client, holder: "test:1", random: { 0 },
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        ) { options in
            try await Synchroniser(client: client, mirror: rig.mirror, options: options, holder: "test:1").run()
        }
    }

    @discardableResult
    static func heal(
        _ rig: Rig, _ change: (inout HealingOptions) -> Void = { _ in }
    ) async throws -> [String: HealingRecord] {
        try await rig.withClient { client in
            let records = try await healer(rig, client, change).heal()
            return Dictionary(records.map { ($0.action, $0) }, uniquingKeysWith: { $1 })
        }
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
            #expect(try await Self.heal(rig)["refresh_token"]?.changed == 1)
            #expect(try await Self.heal(rig)["refresh_token"] == nil)
            rig.control.revokeTokens()
            rig.control.advanceClock(by: .seconds(7_200))
            let check = try await Self.checks(rig, .access)["token"]
            #expect(check?.state == .critical)
            #expect(check?.advice.contains("ZOHO_REFRESH_TOKEN") == true)
            let failed = try await Self.heal(rig)["refresh_token"]
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

    @Test("Dead letters are seen, read again from the source by healing, and gone", arguments: Engine.allCases)
    func deadLetters(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func refuse(_ indices: Range<Int>) async throws {
                _ = try await rig.mirror.store(
                    indices.map { index in
                        // A body that names its record and is damaged otherwise.
                        let id = rig.control.id(.items, at: index)
                        let body = "{\"item\":{\"item_id\":\"\(id)\",\"name\":5"
                        return NewDelivery(
                            entity: "products", content: .unreadable(body: Array(body.utf8), reason: "it is cut off"),
                            receivedAt: rig.mirror.now(), requestID: nil)
                    })
            }
            try await refuse(0..<6)
            #expect(try await Self.checks(rig)["dead_letters"]?.state == .warning)
            try await refuse(6..<11)
            #expect(try await Self.checks(rig)["dead_letters"]?.state == .critical)
            try await rig.mirror.database.write { transaction in
                for index in 0..<11 {
                    try transaction.execute(
                        """
                        update sync_dead_letters set zoho_id = $1, identity = $1, shape = 'detail'
                        where id = (select min(id) from sync_dead_letters where zoho_id is null)
                        """, [.text(rig.control.id(.items, at: index))])
                }
            }
            #expect(try await Self.heal(rig)["reread_dead_letters"]?.changed == 11)
            #expect(try await Self.checks(rig)["dead_letters"]?.state == .ok)
            #expect(try await rig.value("select count(*) from products") == "11")
            #expect(try await Self.heal(rig)["reread_dead_letters"] == nil)
        }
    }

    @Test("What failed for a passing reason is applied again when it has passed", arguments: Engine.allCases)
    func passingReasons(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            // A check that the person adds and then takes back.
            let id = rig.control.id(.items, at: 0)
            try await rig.mirror.database.write { transaction in
                switch transaction.dialect {
                case .postgres:
                    try transaction.script(
                        """
                        create function refuse() returns trigger language plpgsql as $$
                        begin raise exception 'not now' using errcode = '23514'; end $$;
                        create trigger refuse before insert on products for each row
                            when (new.zoho_item_id = '\(id)') execute function refuse();
                        """)
                case .sqlite:
                    try transaction.script(
                        """
                        create trigger refuse before insert on products when new.zoho_item_id = '\(id)'
                            begin select raise(abort, 'not now'); end
                        """)
                }
            }
            try await rig.sync(["products"]) { $0.includesDetails = false }
            let letter = try #require(try await rig.mirror.deadLetters().first)
            #expect(letter.zohoID == id)
            let again = try await Self.heal(rig)
            #expect(again.values.contains { $0.changed > 0 && $0.action.hasSuffix("dead_letters") } == false)
            #expect(try await rig.mirror.deadLetterCount() == 1)
            try await rig.mirror.database.write { transaction in
                try transaction.script("drop trigger refuse\(transaction.dialect == .postgres ? " on products" : "")")
            }
            let healed = try await Self.heal(rig)
            #expect(healed.values.contains { $0.changed == 1 && $0.action.hasSuffix("dead_letters") })
            #expect(try await rig.mirror.deadLetterCount() == 0)
        }
    }

    @Test("A reading that Zoho failed to answer is asked for again", arguments: Engine.allCases)
    func failedReadings(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let id = rig.control.id(.invoices, at: 0)
            _ = try await rig.mirror.mark([id], of: try #require(Catalog.entity(named: "invoices")))
            let entries = try await rig.mirror.claim([.mark], limit: 1, holder: "w", lease: 60)
            try await rig.mirror.giveUp(entries, reason: "Zoho answers with 500.")
            #expect(try await rig.mirror.deadLetterCount() == 1)
            #expect(try await Self.heal(rig)["retry_dead_letters"]?.changed == 1)
            #expect(try await rig.mirror.deadLetterCount() == 0)
            #expect(try await rig.value("select count(*) from invoices") == "1")
        }
    }

    @Test("A record that Zoho never gives is asked for less and less often", arguments: Engine.allCases)
    func hopelessReading(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.faults = [.internalError: 1]
        } _: { rig in
            let id = rig.control.id(.invoices, at: 0)
            func giveUp() async throws {
                let entries = try await rig.mirror.claim([.mark], limit: 1, holder: "w", lease: 60)
                try await rig.mirror.giveUp(entries, reason: "Zoho answers with 500.")
            }
            _ = try await rig.mirror.mark([id], of: try #require(Catalog.entity(named: "invoices")))
            try await giveUp()
            for attempt in 1...4 {
                let letter = try #require(try await rig.mirror.deadLetters().first)
                #expect(letter.attempts == attempt)
                _ = try await rig.mirror.retry(letter)
                try await giveUp()
            }
        }
    }

    @Test("Healing by itself leaves a letter alone until its pause is over; a person does not wait")
    func pauses() async throws {
        try await Rig.with(.sqlite) { rig in
            let id = rig.control.id(.items, at: 0)
            try await rig.mirror.database.write { transaction in
                try transaction.script(
                    """
                    create trigger refuse before insert on products when new.zoho_item_id = '\(id)'
                        begin select raise(abort, 'never'); end
                    """)
            }
            try await rig.sync(["products"]) { $0.includesDetails = false }
            let due = { try await Self.heal(rig) { $0.isAskedFor = false }["reread_dead_letters"] != nil }
            #expect(try await due() == false)
            rig.control.advanceClock(by: .seconds(3_601))
            #expect(try await due())
            rig.control.advanceClock(by: .seconds(3_601))
            #expect(try await due() == false, "the second pause is of two hours")
            rig.control.advanceClock(by: .seconds(3_601))
            #expect(try await due())
        }
    }

    @Test("A worker that is not heard of is seen; healing takes its lease back", arguments: Engine.allCases)
    func workers(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            #expect(try await Self.checks(rig, expectsWebhooks: true)["worker_silence_seconds"]?.state == .warning)
            try await rig.mirror.acquireLease("worker test:1#1", holder: "test:1#1", duration: 60)
            #expect(try await Self.checks(rig, expectsWebhooks: true)["worker_silence_seconds"]?.state == .ok)
            rig.control.advanceClock(by: .seconds(901))
            #expect(try await Self.checks(rig)["worker_silence_seconds"]?.state == .critical)
            #expect(try await Self.heal(rig)["release_leases"]?.changed == 1)
            #expect(try await Self.checks(rig)["worker_silence_seconds"]?.state == .ok)
        }
    }

    @Test("A stuck worker is stopped and begins anew", arguments: Engine.allCases)
    func stuckWorker(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.slowAnswer = .seconds(600)
        } _: { rig in
            let id = rig.control.id(.invoices, at: 0)
            rig.control.script(.slowAnswer, next: 1, prefix: "/invoices")
            _ = try await rig.mirror.mark([id], of: try #require(Catalog.entity(named: "invoices")))
            try await rig.withClient { client in
                let processor = DeliveryProcessor(
                    mirror: rig.mirror, client: client, holder: "test:1", patience: .seconds(3),
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                try await withThrowingTaskGroup { group in
                    group.addTask { try await processor.run() }
                    while try await rig.value("select count(*) from invoices") != "1" {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
            #expect(try await rig.mirror.healings().map(\.action) == ["restart_worker"])
        }
    }

    @Test("Stuck leases and endless runs are seen, and ended by healing", arguments: Engine.allCases)
    func leases(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.mirror.acquireLease("sync invoices", holder: "dead:1", duration: 60)
            _ = try await rig.mirror.beginRun(of: "invoices", kind: .full, options: "{}", holder: "dead:1")
            #expect(try await Self.checks(rig)["leases_stuck"]?.state == .ok)
            rig.control.advanceClock(by: .seconds(1_862))
            let checks = try await Self.checks(rig)
            #expect(checks["leases_stuck"]?.state == .warning)
            #expect(checks["runs_endless"]?.state == .warning)
            #expect(checks["runs_endless"]?.parts == ["invoices": 1])
            let planned = try await rig.withClient { try await Self.healer(rig, $0).plan() }
            #expect(planned.map(\.action).contains(.releaseLeases))
            #expect(planned.map(\.action).contains(.endRuns))
            #expect(try await rig.mirror.healings().isEmpty, "a plan does nothing")
            let done = try await Self.heal(rig)
            #expect(done["release_leases"]?.changed == 1)
            #expect(done["end_runs"]?.changed == 1)
            #expect(try await rig.mirror.runs(entity: "invoices").first?.state == .interrupted)
            let after = try await Self.checks(rig)
            #expect(after["leases_stuck"]?.state == .ok)
            #expect(after["runs_endless"]?.state == .ok)
            #expect(try await Self.heal(rig).isEmpty, "twice changes nothing")
        }
    }

    @Test("An action that is switched off is not done")
    func switchedOff() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.mirror.acquireLease("sync invoices", holder: "dead:1", duration: 60)
            #expect(try await Self.heal(rig) { $0.disabled = [.releaseLeases] }["release_leases"] == nil)
            #expect(try await rig.mirror.leases().count == 1)
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

    // MARK: - Drift

    private static func compare(_ rig: Rig) async throws -> ReconciliationReport {
        try await rig.withClient { client in
            try await Reconciler(
                client: client, mirror: rig.mirror, options: ReconciliationOptions(), holder: "test:1", random: { 0.5 }
            ).run()
        }
    }

    @Test("Drift that a comparison finds is seen, and repaired by healing", arguments: Engine.allCases)
    func drift(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            try rig.control.edit(.items, at: 2, ["rate": 99.5])
            try rig.control.delete(.items, id: rig.control.id(.items, at: 3))
            _ = try await Self.compare(rig)
            let check = try await Self.checks(rig)["drift"]
            #expect(check?.state == .warning)
            #expect(check?.parts == ["products": 2])
            #expect(try await Self.heal(rig)["repair_drift"]?.changed == 2)
            #expect(try await Self.checks(rig)["drift"]?.state == .ok)
            #expect(try await Self.heal(rig).isEmpty)
        }
    }

    @Test("A source that lost half its records does not empty the mirror: healing asks", arguments: Engine.allCases)
    func massDeletion(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            for id in rig.control.ids(.items).prefix(225) { try rig.control.delete(.items, id: id) }
            _ = try await Self.compare(rig)
            #expect(try await Self.checks(rig)["drift"]?.state == .warning)
            let asked = try await Self.heal(rig)["repair_drift"]
            #expect(asked?.outcome == HealingRecord.question)
            #expect(asked?.reason.contains("--allow-mass-deletion") == true)
            #expect(try await rig.value("select count(*) from products where deleted_at is null") == "450")
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

    // MARK: - What is missed and what is old

    @Test("What changed while no server ran is caught up once", arguments: Engine.allCases)
    func downtime(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync()
            let lastSeen = rig.mirror.now()
            rig.control.advanceClock(by: .seconds(600))
            try rig.control.edit(.items, at: 0, ["rate": 99.5])
            rig.control.advanceClock(by: .seconds(600))
            let startedAt = rig.mirror.now()
            try await rig.mirror.save(
                ScheduleRecord(name: "serve", dueAt: lastSeen, startedAt: startedAt, endedAt: startedAt))
            let caughtUp = try await Self.heal(rig)["catch_up"]
            #expect(caughtUp?.changed == 1)
            #expect(
                try await rig.value(
                    "select unit_price from products where zoho_item_id = '\(rig.control.id(.items, at: 0))'") == "99.5"
            )
            #expect(try await Self.heal(rig)["catch_up"] == nil)
        }
    }

    @Test("What is older than its retention goes; the last run of each entity stays", arguments: Engine.allCases)
    func retention(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["invoices"])
            try await rig.sync(["invoices"])
            try await rig.sync(["invoices"])
            rig.control.advanceClock(by: .seconds(91 * 86_400))
            #expect(try await Self.heal(rig)["prune"]?.changed == 1)
            #expect(try await rig.mirror.runs(entity: "invoices").count == 2)
            #expect(try await rig.value("select count(*) from sync_changes") != "0")
            rig.control.advanceClock(by: .seconds(366 * 86_400))
            try await Self.heal(rig)
            #expect(try await rig.value("select count(*) from sync_changes") == "0")
            #expect(try await rig.value("select count(*) from invoices") == "30")
        }
    }
}
