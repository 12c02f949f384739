import Database
import Foundation
import TestSupport
import Testing
import ZohoSimulator

@Suite("Commands that watch, prove and mend")
struct WatchCommandTests {
    private static func with(
        _ engine: Engine = .sqlite,
        _ body: (_ simulator: SimulatorHandle, _ environment: [String: String], _ folder: URL) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                try await ZohoSimulator.withSimulator(.small) { simulator in
                    try await body(simulator, simulator.environment(["DATABASE_URL": location.url]), folder)
                }
            }
        }
    }

    private static func json(_ outcome: Program.Outcome) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    }

    // MARK: - doctor

    @Test("doctor names what is missing in the order of the set-up, and leaves nothing behind")
    func beforeTheSetUp() async throws {
        try await Self.with { _, environment, folder in
            let nothing = try await Program.run(["doctor"], [:], folder: folder)
            #expect(nothing.status == 1)
            #expect(nothing.output.contains("ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, ZOHO_REFRESH_TOKEN"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)

            let connected = try await Program.run(["doctor", "--json"], environment, folder: folder)
            #expect(connected.status == 0, "\(connected.errors)")
            let checks = try #require(try Self.json(connected)["checks"] as? [[String: Any]])
            let names = checks.compactMap { $0["name"] as? String }
            try #require(names.prefix(4) == ["credentials", "database", "token", "scopes"])
            #expect(checks[1]["state"] as? String == "warning")
            #expect((checks[1]["advice"] as? String)?.contains("zohosync sync") == true)
        }
    }

    @Test("doctor is content with a mirror in use, and sees a PostgreSQL that is not there", arguments: Engine.allCases)
    func inUse(engine: Engine) async throws {
        try await Self.with(engine) { simulator, environment, folder in
            #expect(try await Program.run(["sync"], environment, folder: folder).status == 0)
            let well = try await Program.run(["doctor"], environment, folder: folder)
            #expect(well.status == 0)
            #expect(well.output.contains("All is well."))
            var elsewhere = environment
            elsewhere["DATABASE_URL"] = "postgres://nobody:hidden-word@127.0.0.1:1/zoho"
            let gone = try await Program.run(["doctor"], elsewhere, folder: folder)
            #expect(gone.status == 1)
            #expect(gone.output.contains("database: "))
            #expect(gone.output.contains("token"))
            #expect(!gone.output.contains("hidden-word") && !gone.errors.contains("hidden-word"))

            simulator.control.revokeTokens()
            let revoked = try await Program.run(["doctor"], environment, folder: folder)
            #expect(revoked.status == 1)
            #expect(revoked.output.contains("token: Zoho does not accept the refresh token."))
        }
    }

    @Test("What maintains a mirror says that there is none, and makes none", arguments: Engine.allCases)
    func noMirror(engine: Engine) async throws {
        try await Self.with(engine) { _, environment, folder in
            for command in [["verify"], ["heal"], ["runs", "undo", "1"], ["dead-letters", "retry"]] {
                let outcome = try await Program.run(command, environment, folder: folder)
                #expect(outcome.status == 2, "\(command): \(outcome.output)\(outcome.errors)")
                #expect(outcome.errors.contains("zohosync sync"), "\(command): \(outcome.errors)")
            }
            let location = try #require(environment["DATABASE_URL"])
            if engine == .sqlite {
                #expect(!FileManager.default.fileExists(atPath: String(location.dropFirst("sqlite:".count))))
            }
        }
    }

    @Test("Thresholds are taken from the environment and the file, and wrong ones are refused")
    func thresholds() async throws {
        try await Self.with { _, environment, folder in
            #expect(try await Program.run(["sync", "pricelists"], environment, folder: folder).status == 0)
            let yaml = "zohosync:\n  health:\n    cursor_age_seconds:\n      warning: 0\n      critical: 0\n"
            try Data(yaml.utf8).write(to: folder.appending(path: "zohosync.yaml"))
            let location = try DatabaseLocation(try #require(environment["DATABASE_URL"]))
            try await withDatabase(at: location) { database in
                _ = try await database.write { try $0.execute("update sync_cursors set listed_at = $1", [.instant(0)]) }
            }
            let strict = try await Program.run(["doctor", "--offline"], environment, folder: folder)
            #expect(strict.status == 1)
            #expect(strict.output.contains("cursor_age_seconds: "))
            for (name, value) in [
                ("ZOHOSYNC_HEALTH_INBOX_DEPTH_WARNING", "many"), ("ZOHOSYNC_HEALTH_INBOX_DEPTH_WARNING", "500"),
                ("ZOHOSYNC_HEALTH_INBOX_DEPTH_CRITICAL", "-1"),
            ] {
                let refused = try await Program.run(
                    ["doctor"], environment.merging([name: value]) { $1 }, folder: folder)
                #expect(refused.status == 2)
                #expect(refused.errors.contains("ZOHOSYNC_HEALTH_INBOX_DEPTH"))
            }
        }
    }

    @Test("A trial alert reaches every target, and one that fails is named without its secret")
    func trialAlert() async throws {
        try await Self.with { _, environment, folder in
            let none = try await Program.run(["doctor", "--trial-alert"], environment, folder: folder)
            #expect(none.status == 2)
            var targets = environment
            targets["ZOHOSYNC_ALERT_COMMAND"] = "cat > alert.json"
            #expect(try await Program.run(["doctor", "--trial-alert"], targets, folder: folder).status == 0)
            let sent = try String(contentsOf: folder.appending(path: "alert.json"), encoding: .utf8)
            #expect(sent.contains("\"check\":\"trial\""))
            targets["ZOHOSYNC_ALERT_SMTP_URL"] = "smtp://user:hidden-word@127.0.0.1:1"
            targets["ZOHOSYNC_ALERT_SMTP_TO"] = "ops@example.com"
            let failed = try await Program.run(["doctor", "--trial-alert"], targets, folder: folder)
            #expect(failed.status == 1)
            #expect(failed.output.contains("command: sent"))
            #expect(failed.output.contains("smtp: "))
            #expect(!failed.output.contains("hidden-word"))
            let machine = try await Program.run(["doctor", "--trial-alert", "--json"], targets, folder: folder)
            #expect(machine.status == 1)
            let trials = try #require(
                try JSONSerialization.jsonObject(with: Data(machine.output.utf8)) as? [[String: Any]])
            #expect(trials.map { $0["target"] as? String } == ["smtp", "command"])
            #expect(trials.map { $0["sent"] as? Bool } == [false, true])
            #expect(trials[0]["error"] is String && trials[1]["error"] is NSNull)
            #expect(!machine.output.contains("hidden-word"))
            targets["ZOHOSYNC_ALERT_SMTP_TO"] = "nobody"
            #expect(try await Program.run(["doctor", "--trial-alert"], targets, folder: folder).status == 2)
        }
    }

    // MARK: - verify and heal

    @Test("verify tells equal from different, and heal puts right what it found", arguments: Engine.allCases)
    func verifyAndHeal(engine: Engine) async throws {
        try await Self.with(engine) { simulator, environment, folder in
            #expect(try await Program.run(["sync"], environment, folder: folder).status == 0)
            let equal = try await Program.run(["verify"], environment, folder: folder)
            #expect(equal.status == 0, "\(equal.errors)")
            #expect(equal.output.contains("Source and mirror are equal."))
            let cost = try await Program.run(["verify", "--cost", "--json"], environment, folder: folder)
            #expect(try Self.json(cost)["at_most"] as? Int ?? 0 > 8)

            try simulator.control.delete(.items, id: simulator.control.id(.items, at: 3))
            let different = try await Program.run(["verify", "--json"], environment, folder: folder)
            #expect(different.status == 1)
            #expect(try Self.json(different)["equal"] as? Bool == false)
            #expect(
                try await Program.run(["doctor", "--offline"], environment, folder: folder).output.contains("drift"))

            let planned = try await Program.run(["heal", "--dry-run"], environment, folder: folder)
            #expect(planned.status == 0)
            #expect(planned.output.contains("repair_drift: The last comparison found differences: 1 of products."))
            var switchedOff = environment
            switchedOff["ZOHOSYNC_HEAL_REPAIR_DRIFT"] = "false"
            let left = try await Program.run(["heal"], switchedOff, folder: folder)
            #expect(left.output == "Nothing needs healing.\n")
            let healed = try await Program.run(["heal"], environment, folder: folder)
            #expect(healed.status == 0)
            #expect(healed.output.contains("1 records were repaired"))
            #expect(try await Program.run(["verify"], environment, folder: folder).status == 0)
            #expect(try await Program.run(["heal"], environment, folder: folder).output == "Nothing needs healing.\n")
        }
    }

    @Test("verify that finds no difference and could not compare everything says just that")
    func incomplete() async throws {
        try await Self.with { simulator, environment, folder in
            let sync = try await Program.run(["sync", "bills", "--no-details"], environment, folder: folder)
            #expect(sync.status == 0, "\(sync.errors)")
            let open = try await Program.run(["verify", "bills"], environment, folder: folder)
            #expect(open.status == 1)
            #expect(open.output.contains("No difference was found, but not everything was compared."), "\(open.output)")
            #expect(!open.output.contains("are not equal"))
            try simulator.control.delete(.bills, id: simulator.control.id(.bills, at: 3))
            let different = try await Program.run(["verify", "bills"], environment, folder: folder)
            #expect(different.output.contains("Source and mirror are not equal."), "\(different.output)")
            let repaired = try await Program.run(["verify", "bills", "--repair"], environment, folder: folder)
            #expect(repaired.status == 1)
            #expect(
                repaired.output.contains("No difference is left, but not everything was compared."),
                "\(repaired.output)")
        }
    }

    @Test("While another process writes a SQLite mirror, a command says what to ask it instead")
    func served() async throws {
        try await Self.with { _, environment, folder in
            #expect(try await Program.run(["sync", "pricelists"], environment, folder: folder).status == 0)
            let url = try #require(environment["DATABASE_URL"])
            try await withDatabase(at: try DatabaseLocation(url)) { _ in
                for command in [["verify"], ["heal"], ["runs", "undo", "1"], ["dead-letters", "retry"]] {
                    let refused = try await Program.run(command, environment, folder: folder)
                    #expect(refused.status == 1, "\(command)")
                    #expect(refused.errors.contains("POST /api/zoho/"), "\(command): \(refused.errors)")
                    #expect(refused.errors.contains("stop it"), "\(command): \(refused.errors)")
                }
            }
        }
    }

    // MARK: - schedule

    @Test("The schedule's cost is told for any size and plan, and a plan that is too small fails")
    func cost() async throws {
        try await Self.with { _, environment, folder in
            let size = "products=2200,customers=2500,invoices=5000"
            let arguments = ["schedule", "--cost", "--size", size, "--plan"]
            let fits = try await Program.run(arguments + ["3000", "--json"], environment, folder: folder)
            let document = try Self.json(fits)
            #expect(document["with_webhooks"] as? Int ?? 0 > 100)
            let tight = try await Program.run(arguments + ["200"], environment, folder: folder)
            #expect(tight.status == 1)
            #expect(tight.output.contains("do not fit into 200 with a reserve of 20."), "a tenth at most is kept")
            let roomy = try await Program.run(arguments + ["10000"], environment, folder: folder)
            #expect(roomy.status == 0)
            #expect(roomy.output.contains("The schedule fits the plan."))
            let unknown = try await Program.run(
                ["schedule", "--cost", "--size", size], environment, folder: folder)
            #expect(unknown.status == 1)
            #expect(unknown.output.contains("the smallest plan is assumed"))
            for wrong in ["dragons=1", "products", "products=-1"] {
                let refused = try await Program.run(
                    ["schedule", "--cost", "--size", wrong], environment, folder: folder)
                #expect(refused.status == 2)
            }
            var odd = environment
            odd["ZOHOSYNC_SCHEDULE_PRODUCTS_FULL"] = "sometimes"
            let refused = try await Program.run(["schedule", "--cost"], odd, folder: folder)
            #expect(refused.status == 2)
            #expect(refused.errors.contains("ZOHOSYNC_SCHEDULE_PRODUCTS_FULL is sometimes"))
        }
    }

    // MARK: - runs undo

    @Test(
        "Runs of the wrong organisation are taken back, and the mirror is free for the right one",
        arguments: Engine.allCases)
    func wrongOrganisation(engine: Engine) async throws {
        try await Self.with(engine) { _, environment, folder in
            #expect(try await Program.run(["sync", "products", "invoices"], environment, folder: folder).status == 0)
            var other = environment
            other["ZOHO_ORGANIZATION_ID"] = "60000000002"
            let refused = try await Program.run(["sync"], other, folder: folder)
            #expect(refused.status == 2)
            #expect(refused.errors.contains("This mirror holds organisation"))

            let planned = try await Program.run(
                ["runs", "undo", "1", "2", "--dry-run", "--json"], other, folder: folder)
            #expect(planned.status == 0, "\(planned.errors)")
            #expect(planned.output.contains("\"removed\" : 450"))
            let listed = try await Program.run(["runs", "products"], other, folder: folder)
            #expect(listed.output.contains("completed"))
            let done = try await Program.run(["runs", "undo", "1", "2"], other, folder: folder)
            #expect(done.status == 0, "\(done.errors)")
            let doctor = try await Program.run(["doctor", "--offline"], other, folder: folder)
            #expect(!doctor.output.contains("The mirror holds organisation"))
            let unknown = try await Program.run(["runs", "undo", "77"], other, folder: folder)
            #expect(unknown.status == 1)
            #expect(unknown.errors.contains("There is no run 77."))

            #expect(try await Program.run(["sync", "products"], environment, folder: folder).status == 0)
            for wrong in [["--all"], ["--all", "--yes", "--dry-run"], ["--all", "1", "--yes"], []] {
                #expect(try await Program.run(["runs", "undo"] + wrong, other, folder: folder).status == 2, "\(wrong)")
            }
            let plan = try await Program.run(["runs", "undo", "--all", "--dry-run"], other, folder: folder)
            #expect(plan.output.contains("Run it again with --yes to do it."))
            #expect(try await Program.run(["sync"], other, folder: folder).status == 2)
            let all = try await Program.run(["runs", "undo", "--all", "--yes", "--json"], other, folder: folder)
            #expect(all.status == 0, "\(all.errors)")
            #expect(all.output.contains("\"removed\" : 450"))
            let free = try await Program.run(["doctor", "--offline"], other, folder: folder)
            #expect(!free.output.contains("The mirror holds organisation"))
        }
    }
}
