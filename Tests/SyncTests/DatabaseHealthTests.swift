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
@Suite("Health of the database")
struct DatabaseHealthTests {
    @Test("A PostgreSQL that is stopped is seen, and seen to be back")
    func stopped() async throws {
        try await PostgresServer.withStoppable { server in
            let database = try await openDatabase(
                DatabaseLocation(server.url), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            let mirror = Mirror(database: database, now: { 0 }, logger: Logger(label: "test"))
            try await mirror.prepare(organizationID: testOrganisation)
            let inspector = HealthInspector(mirror: mirror, client: nil, organizationID: testOrganisation)
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["database"]?.state == .ok)
            try await server.stop()
            let broken = HealthTests.byName(await inspector.inspect(.mirror))
            #expect(broken["database"]?.state == .critical)
            #expect(broken["database"]?.advice.contains("DATABASE_URL") == true)
            try await server.start()
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["database"]?.state == .ok)
            await database.close()
        }
    }

    @Test(
        "A database whose connections are all busy is seen to be slow until they are free", .timeLimit(.minutes(30)))
    func latency() async throws {
        try await withDatabase(.postgres) { database in
            let mirror = Mirror(database: database, now: { 0 }, logger: Logger(label: "test"))
            try await mirror.prepare(organizationID: testOrganisation)
            let clock = ManualClock()
            let inspector = HealthInspector(
                mirror: mirror, client: nil, organizationID: nil, disk: { _ in nil }, clock: clock)
            let state: @Sendable () async -> HealthCheck.State? = {
                HealthTests.byName(await inspector.inspect(.mirror))["database_latency_ms"]?.state
            }
            #expect(await state() == .ok)
            let (begun, begin) = AsyncStream<Void>.makeStream()
            let gate = DispatchSemaphore(value: 0)
            try await withThrowingTaskGroup { group in
                for _ in 0..<Self.connections {
                    group.addTask {
                        try await database.read { _ in
                            begin.yield()
                            gate.wait()
                        }
                    }
                }
                for await _ in begun.prefix(Self.connections) {}
                let reads = clock.reads
                async let seen = state()
                try await clock.untilRead(moreThan: reads)
                // The look has begun, and waits for a connection.
                clock.advance(by: .seconds(1))
                for _ in 0..<Self.connections { gate.signal() }
                #expect(await seen == .warning)
                try await group.waitForAll()
            }
            #expect(await state() == .ok)
        }
    }

    /// Connections that a mirror has to PostgreSQL.
    private static let connections = 5

    @Test("A full disk is judged by thresholds that can be set", arguments: Engine.allCases)
    func thresholds(engine: Engine) async throws {
        try await Rig.with(engine) { rig async throws -> Void in
            var thresholds = HealthThresholds()
            let disk = { try await HealthTests.checks(rig, thresholds: $0, freeDisk: $1)["disk_used_percent"] }
            #expect(try await disk(thresholds, 16)?.state == .ok)
            #expect(try await disk(thresholds, 10)?.state == .warning)
            #expect(try await disk(thresholds, 4)?.state == .critical)
            thresholds.set("disk_used_percent", warning: 97, critical: 99)
            #expect(try await disk(thresholds, 4)?.state == .ok)
        }
    }

    @Test(
        "A disk that fills up is seen, and seen to have space again",
        .enabled("A small disk can be mounted here; elsewhere the test of the thresholds has to do") {
            DatabaseHealthTests.mayMount
        })
    func fullDisk() async throws {
        let folder = try #require(Self.mountedFolder())
        defer { Self.unmount(folder) }
        try await withDatabase(at: .sqlite(path: "\(folder)/mirror.sqlite")) { database in
            let mirror = Mirror(database: database, now: { 0 }, logger: Logger(label: "test"))
            try await mirror.prepare(organizationID: testOrganisation)
            let inspector = HealthInspector(mirror: mirror, client: nil, organizationID: testOrganisation)
            let state = { HealthTests.byName(await inspector.inspect(.mirror))["disk_used_percent"]?.state }
            func fill(to percent: Double) throws {
                let space = try #require(HealthInspector.space(at: folder))
                let size = Int(space.free - space.total * (1 - percent / 100))
                let name = "\(folder)/filling\(Int(percent))"
                #expect(FileManager.default.createFile(atPath: name, contents: Data(count: size)))
            }
            #expect(await state() == .ok)
            try fill(to: 90)
            #expect(await state() == .warning)
            try fill(to: 97)
            #expect(await state() == .critical)
            for percent in [90, 97] { try FileManager.default.removeItem(atPath: "\(folder)/filling\(percent)") }
            #expect(await state() == .ok)
        }
    }

    /// Whether this process may mount a disk; not every root may.
    private static let mayMount: Bool = {
        guard let folder = mountedFolder() else { return false }
        unmount(folder)
        return true
    }()

    /// A folder on a disk of its own of 16 MiB; nil where it cannot be mounted.
    private static func mountedFolder() -> String? {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zohosync-\(UUID().uuidString)").path
        guard (try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)) != nil
        else { return nil }
        if run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder) { return folder }
        try? FileManager.default.removeItem(atPath: folder)
        return nil
    }

    private static func unmount(_ folder: String) {
        _ = run("umount", "-l", folder)
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func run(_ command: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    @Test("A role that may not know where the data is hears how to let it, and that is no fault")
    func hiddenDisk() async throws {
        try await Self.withRole { inspector, owner, role in
            let check = try #require(HealthTests.byName(await inspector.inspect(.mirror))["disk_used_percent"])
            #expect(check.state == .ok)
            #expect(check.figure == -1)
            try await Self.run(check, by: owner)
            let again = try #require(HealthTests.byName(await inspector.inspect(.mirror))["disk_used_percent"])
            #expect(again.figure > 0)
        }
    }

    /// Runs the statement that a check tells, as a person does: in a session that knows nothing of the mirror.
    @discardableResult
    private static func run(_ check: HealthCheck, by owner: any SQLDatabase) async throws -> String {
        let statement = String(try #require(check.advice.split(separator: ": ").last))
        try await owner.write { try $0.script("set local search_path = public; \(statement)") }
        return statement
    }

    @Test("A missing column is seen, and a schema of an older or a newer program", arguments: Engine.allCases)
    func schemaVersion(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func change(_ sql: String) async throws {
                try await rig.mirror.database.write { try $0.script(sql) }
            }
            func advice() async throws -> String? {
                let check = try #require(try await HealthTests.checks(rig)["schema"])
                #expect((check.state == .critical) == (check.figure > 0))
                return check.state == .critical ? check.advice : nil
            }
            try await change("alter table products drop column brand")
            #expect(try await advice()?.contains("products.brand. Run zohosync sync") == true)
            try await rig.mirror.prepare(organizationID: rig.control.configuration.organizationID)
            #expect(try await advice() == nil)
            try await change("insert into sync_migrations (name) values ('9999-tomorrow')")
            #expect(try await advice()?.contains("9999-tomorrow. Upgrade") == true)
            try await change("delete from sync_migrations where name in ('9999-tomorrow', '0001-state')")
            #expect(try await advice()?.contains("0001-state. Run zohosync sync") == true)
            try await change("insert into sync_migrations (name) values ('0001-state')")
            #expect(try await advice() == nil)
        }
    }

    @Test("A table that cannot be read is told once, as the database's state, and well again")
    func unreadable() async throws {
        try await Self.withRole { inspector, owner, role in
            try await owner.write { try $0.script("revoke select on zoho.sync_inbox from \(role)") }
            let checks = HealthTests.byName(await inspector.inspect(.mirror))
            #expect(checks["database"]?.state == .critical)
            #expect(checks["database"]?.advice.contains("sync_inbox") == true)
            try await Self.run(try #require(checks["privileges"]), by: owner)
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["database"]?.state == .ok)
        }
    }

    @Test("A missing table is seen", arguments: Engine.allCases)
    func schema(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.mirror.database.write { try $0.script("alter table product_prices rename to elsewhere") }
            let check = try await HealthTests.checks(rig)["schema"]
            #expect(check?.state == .critical)
            #expect(check?.advice.contains("product_prices") == true)
            try await rig.mirror.database.write { try $0.script("alter table elsewhere rename to product_prices") }
            #expect(try await HealthTests.checks(rig)["schema"]?.state == .ok)
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
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["privileges"]?.state == .ok)
            try await owner.write { try $0.script("revoke insert, update on zoho.products from \(role)") }
            let check = try #require(HealthTests.byName(await inspector.inspect(.mirror))["privileges"])
            #expect(check.state == .critical)
            #expect(try await Self.run(check, by: owner) == "grant insert, update on zoho.products to \(role)")
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["privileges"]?.state == .ok)
            try await owner.write { try $0.script("revoke all on zoho.sync_migrations from \(role)") }
            let steps = try #require(HealthTests.byName(await inspector.inspect(.mirror))["privileges"])
            #expect(try await Self.run(steps, by: owner) == "grant select on zoho.sync_migrations to \(role)")
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["privileges"]?.state == .ok)
        }
    }

    @Test(
        "A role that may read nothing, or not whose mirror it is, hears the exact grant, which works",
        arguments: ["all tables in schema zoho", "zoho.sync_organization"])
    func unreadableTables(tables: String) async throws {
        try await Self.withRole { inspector, owner, role in
            try await owner.write { try $0.script("revoke select on \(tables) from \(role)") }
            let checks = HealthTests.byName(await inspector.inspect(.mirror))
            let check = try #require(checks["privileges"])
            #expect(check.state == .critical)
            #expect(checks["schema"]?.advice.contains("permission denied") != true)
            #expect(try await Self.run(check, by: owner).contains("grant select on zoho.sync_organization to \(role)"))
            let again = HealthTests.byName(await inspector.inspect(.mirror))
            for name in ["database", "privileges", "row_level_security", "schema", "organisation"] {
                #expect(again[name]?.state == .ok, "\(name)")
            }
        }
    }

    @Test("Row-level security that hides the steps of the schema is told before what it seems to lack, and mended")
    func hiddenSteps() async throws {
        try await Self.withRole { inspector, owner, role in
            try await owner.write { transaction in
                try transaction.script(
                    """
                    alter table zoho.sync_migrations enable row level security;
                    alter table zoho.sync_organization enable row level security;
                    """)
            }
            let checks = HealthTests.byName(await inspector.inspect(.mirror))
            let check = try #require(checks["row_level_security"])
            #expect(check.state == .critical)
            #expect(check.figure == 2)
            #expect(checks["schema"] == nil, "nothing is outstanding")
            try await Self.run(check, by: owner)
            let again = HealthTests.byName(await inspector.inspect(.mirror))
            #expect(again["row_level_security"]?.state == .ok)
            #expect(again["schema"]?.state == .ok)
            #expect(again["organisation"]?.state == .ok)
        }
    }

    @Test("Row-level security that would refuse rows is seen with the policy that mends it, which works")
    func rowLevelSecurity() async throws {
        try await Self.withRole { inspector, owner, role in
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["row_level_security"]?.state == .ok)
            try await owner.write { transaction in
                try transaction.script(
                    """
                    alter table zoho.products enable row level security;
                    create policy zohosync_all on zoho.products for all to \(role) using (unit_price < 100);
                    """)
            }
            let check = try #require(HealthTests.byName(await inspector.inspect(.mirror))["row_level_security"])
            #expect(check.state == .critical)
            #expect(
                try await Self.run(check, by: owner).hasPrefix("create policy zohosync_all_1 on zoho.products for all"))
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["row_level_security"]?.state == .ok)
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
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["row_level_security"]?.state == .ok)
            try await owner.write {
                try $0.script(
                    "create policy dear on zoho.products as restrictive for insert with check (unit_price > 9)")
            }
            let check = try #require(HealthTests.byName(await inspector.inspect(.mirror))["row_level_security"])
            #expect(check.state == .critical)
            #expect(try await Self.run(check, by: owner) == "alter role \(role) bypassrls")
            #expect(HealthTests.byName(await inspector.inspect(.mirror))["row_level_security"]?.state == .ok)
        }
    }

    @Test(
        "A role that may not make the mirror is told which right it lacks",
        arguments: ["", "create schema zoho; grant usage on schema zoho to ROLE"])
    func creation(given: String) async throws {
        try await withLocation(.postgres) { location in
            guard case .postgres(let url) = location else { return }
            let role = "maker_\(UInt32.random(in: 0 ... .max))"
            try await withDatabase(at: location, access: .readOnly) { _ in }
            try await withDatabase(at: location) { owner in
                try await owner.write {
                    try $0.script("drop schema zoho; create role \(role) login; \(given.replacing("ROLE", with: role))")
                }
                let theirs = DatabaseLocation.postgres(url: url.replacing("//postgres@", with: "//\(role)@"))
                try await withDatabase(at: theirs, access: .readOnly) { database in
                    let inspector = HealthInspector(
                        mirror: Mirror(database: database, now: { 0 }, logger: Logger(label: "test")), client: nil,
                        organizationID: testOrganisation)
                    let check = try #require(HealthTests.byName(await inspector.inspect(.mirror))["schema"])
                    #expect(check.state == .critical)
                    try await Self.run(check, by: owner)
                    #expect(HealthTests.byName(await inspector.inspect(.mirror))["schema"]?.state == .warning)
                }
                try await owner.write { try $0.script("drop owned by \(role); drop role \(role)") }
            }
        }
    }

    @Test("A mirror of another organisation is seen", arguments: Engine.allCases)
    func organisation(engine: Engine) async throws {
        try await Rig.with(engine) { rig async throws -> Void in
            let own = rig.control.configuration.organizationID
            #expect(try await HealthTests.checks(rig, organizationID: "1")["organisation"]?.state == .ok, "it is empty")
            try await rig.sync(["pricelists"])
            #expect(try await HealthTests.checks(rig, organizationID: own)["organisation"]?.state == .ok)
            #expect(try await HealthTests.checks(rig, organizationID: "1")["organisation"]?.state == .critical)
            let run = try #require(try await rig.mirror.runs(limit: 1).first)
            _ = try await RunUndo(mirror: rig.mirror, process: "test:1").undo(run.id, isRehearsal: false)
            #expect(try await HealthTests.checks(rig, organizationID: "1")["organisation"]?.state == .ok)
        }
    }
}
