import Foundation
import TestSupport
import Testing
import ZohoSimulator

/// What `--json` prints.
@Suite("Documents for machines have the same members whatever happened")
struct DocumentTests {
    private static func with(
        _ body: (_ simulator: SimulatorHandle, _ environment: [String: String], _ folder: URL) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                try await body(simulator, simulator.environment(), folder)
            }
        }
    }

    private static func object(_ text: some StringProtocol) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    }

    private static func objects(_ outcome: Program.Outcome) throws -> [[String: Any]] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]], "\(outcome.output)")
    }

    @Test("changes: insertions by a run have null where updates and deliveries have something")
    func changes() async throws {
        try await Self.with { simulator, environment, folder in
            #expect(try await Program.run(["sync", "bills"], environment, folder: folder).status == 0)
            let outcome = try await Program.run(["changes", "--after", "0", "--json"], environment, folder: folder)
            let entries = try outcome.output.split(separator: "\n").map { try Self.object($0) }
            #expect(Set(entries.compactMap { $0["kind"] as? String }) == ["inserted", "updated"])
            for entry in entries {
                #expect(
                    entry.keys.sorted() == [
                        "changed_at", "changes", "content_hash", "delivery_id", "entity", "id", "kind", "request_id",
                        "run_id", "zoho_id",
                    ])
                #expect(entry["delivery_id"] is NSNull && entry["request_id"] is NSNull && entry["run_id"] is Int)
                #expect(
                    entry["kind"] as? String == "inserted"
                        ? entry["changes"] is NSNull : entry["changes"] is [String: Any])
            }
        }
    }

    @Test("auth token: made, valid and revoked")
    func tokens() async throws {
        try await Self.with { _, environment, folder in
            let members = ["created_at", "id", "name", "revoked_at", "role", "token"]
            for name in ["erp", "grafana"] {
                let made = try await Program.run(
                    ["auth", "token", "create", name, "--json"], environment, folder: folder)
                let token = try Self.object(made.output)
                #expect(token.keys.sorted() == members && token["token"] is String && token["revoked_at"] is NSNull)
            }
            let revoked = try await Program.run(["auth", "token", "revoke", "1"], environment, folder: folder)
            #expect(revoked.status == 0, "\(revoked.errors)")
            let list = try Self.objects(
                try await Program.run(["auth", "token", "list", "--json"], environment, folder: folder))
            #expect(list.map { $0.keys.sorted() } == [members, members])
            #expect(list[0]["revoked_at"] is String && list[1]["revoked_at"] is NSNull)
            #expect(list.allSatisfy { $0["token"] is NSNull })
        }
    }

    @Test("runs undo: of runs and of everything")
    func undo() async throws {
        try await Self.with { _, environment, folder in
            #expect(try await Program.run(["sync", "bills"], environment, folder: folder).status == 0)
            let one = try Self.objects(
                try await Program.run(["runs", "undo", "1", "--dry-run", "--json"], environment, folder: folder))
            let all = try Self.objects(
                try await Program.run(["runs", "undo", "--all", "--dry-run", "--json"], environment, folder: folder))
            let first = try #require(one.first)
            #expect(first["run"] as? Int == 1 && first["entity"] is NSNull)
            #expect(!all.isEmpty && all.allSatisfy { $0["run"] is NSNull && $0["entity"] is String })
            #expect(all.allSatisfy { $0.keys.sorted() == first.keys.sorted() })
        }
    }

    @Test("doctor, verify, heal and schedule: with and without anything to tell")
    func watching() async throws {
        try await Self.with { simulator, environment, folder in
            #expect(try await Program.run(["sync", "bills"], environment, folder: folder).status == 0)
            let doctor = try Self.object(
                try await Program.run(["doctor", "--offline", "--json"], environment, folder: folder).output)
            let checks = try #require(doctor["checks"] as? [[String: Any]])
            #expect(checks.allSatisfy { $0.keys.sorted() == ["advice", "figure", "name", "parts", "state"] })
            #expect(checks.contains { $0["parts"] is NSNull } && checks.contains { $0["parts"] is [String: Int] })

            try simulator.control.delete(.bills, id: simulator.control.id(.bills, at: 3))
            let verify = try Self.object(
                try await Program.run(["verify", "bills", "--json"], environment, folder: folder).output)
            let counts = try #require((verify["entities"] as? [[String: Any]])?.first?["counts"] as? [String: Int])
            #expect(counts.count == 7 && counts["extra"] == 1 && counts["missing"] == 0)

            let heal = try Self.objects(
                try await Program.run(["heal", "--dry-run", "--json"], environment, folder: folder))
            #expect(heal.contains { $0["action"] as? String == "repair_drift" && $0["open"] as? Bool == false })
            #expect(
                heal.allSatisfy { $0.keys.sorted() == ["action", "changed", "open", "outcome", "reason", "state"] })

            let off = environment.merging(["ZOHOSYNC_SCHEDULE_FULL": "off"]) { $1 }
            let tasks = try Self.objects(try await Program.run(["schedule", "--json"], off, folder: folder))
            #expect(!tasks.isEmpty && tasks.allSatisfy { $0["slow"] is Bool && $0["next_at"] != nil })
            let cost = try Self.object(
                try await Program.run(["schedule", "--cost", "--size", "bills=400", "--json"], off, folder: folder)
                    .output)
            #expect(cost["plan_assumed"] is Bool)
            let modules = try #require(cost["modules"] as? [[String: Any]])
            #expect(
                modules.allSatisfy {
                    ($0["with_webhooks"] as? [String: Int])?.keys.sorted() == ["full", "incremental", "reconciliation"]
                })
        }
    }

    @Test("auth: a grant whose organisations could not be read is one document, with the reason")
    func grant() async throws {
        try await Self.with { simulator, environment, folder in
            simulator.control.script(.connectionReset, next: 10_000, prefix: "/organizations")
            let code = try #require(simulator.control.configuration.oauth.grantCodes.first)
            let outcome = try await Program.run(["auth", "--json"], environment, input: code + "\n", folder: folder)
            #expect(outcome.status == 1)
            let document = try Self.object(outcome.output)
            #expect(document.keys.sorted() == ["error", "organizations", "refresh_token"])
            #expect(document["refresh_token"] is String && document["organizations"] is NSNull)
            #expect((document["error"] as? String).map { outcome.errors.contains($0) } == true, "\(outcome.errors)")
        }
    }
}
