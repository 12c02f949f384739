import Database
import Foundation
import Mirror
import NIOHTTP1
import Server
import Sync
import TestSupport
import Testing
import ZohoSimulator

@Suite("Health of a server")
struct SilenceTests {
    private static func check(_ name: String, _ rig: ServerRig) async throws -> [String: Any]? {
        let checks = try await rig.get("/api/zoho/health").json["checks"] as? [[String: Any]]
        return checks?.first { $0["name"] as? String == name }
    }

    @Test(
        "Webhooks that fall silent are seen by what a sweep finds, and not any more when they come again",
        arguments: Engine.allCases)
    func silence(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let wait: (String) async throws -> Void = { entity in
                let answer = try await rig.post(
                    "/api/zoho/bulk-sync/\(entity)", #"{"incremental": true}"#, headers: ["Prefer": "wait=60"])
                #expect(answer.status == 200, "\(answer.text)")
            }
            #expect(try await rig.post("/api/zoho/bulk-sync/products", headers: ["Prefer": "wait=60"]).status == 200)
            var webhooks = rig.control.webhooks
            webhooks.rules = WebhookRule.all(below: "\(rig.address)/api/zoho/webhooks")
            webhooks.secret = ServerRig.secret
            webhooks.namesEvent = true
            rig.control.webhooks = webhooks
            rig.control.advanceClock(by: .seconds(60))
            for index in 0..<5 { try rig.control.edit(.items, at: index, ["rate": 11.5]) }
            try await rig.control.settle()
            try await rig.expect("select count(*) from sync_inbox", gives: "0")
            try await wait("products")
            #expect(try await Self.check("silent_webhooks", rig)?["state"] as? String == "ok")

            webhooks.loss = 1
            rig.control.webhooks = webhooks
            rig.control.advanceClock(by: .seconds(60))
            for index in 0..<6 { try rig.control.edit(.items, at: index, ["rate": 12.5]) }
            try await rig.control.settle()
            try await wait("products")
            let silent = try #require(try await Self.check("silent_webhooks", rig))
            #expect(silent["state"] as? String == "warning")
            #expect(silent["figure"] as? Double == 6)
            #expect(silent["parts"] as? [String: Int] == ["products": 6])

            webhooks.loss = 0
            rig.control.webhooks = webhooks
            rig.control.advanceClock(by: .seconds(60))
            for index in 0..<60 { try rig.control.edit(.items, at: index, ["rate": 13.5]) }
            try await rig.control.settle()
            try await rig.expect("select count(*) from sync_inbox", gives: "0")
            #expect(try await Self.check("silent_webhooks", rig)?["state"] as? String == "ok")
        }
    }

    @Test("What only a call can tell is shown as it was found last, and as metrics", arguments: Engine.allCases)
    func stored(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let now = rig.mirror.now()
            try await rig.mirror.save([
                HealthRecord(
                    name: "scopes", state: "critical", figure: 1, advice: "Make a new token.", parts: nil,
                    checkedAt: now, since: now)
            ])
            let calls = rig.control.statistics.calls
            let check = try #require(try await Self.check("scopes", rig))
            #expect(check["state"] as? String == "critical")
            #expect(check["advice"] as? String == "Make a new token.")
            #expect(rig.control.statistics.calls == calls)
            #expect(try await rig.get("/metrics").text.contains("zohosync_health{check=\"scopes\"} 2\n"))
        }
    }

    @Test("A database that is gone is told to who has a token that was good, beside what was found before")
    func outage() async throws {
        try await PostgresServer.withStoppable { server in
            let location = try DatabaseLocation(server.url)
            try await ServerRig.with(.postgres) {
                $0.location = location
                $0.watch.schedule = Schedule.off
            } _: { rig in
                #expect(try await Self.check("database", rig)?["state"] as? String == "ok")
                #expect(try await rig.get("/api/zoho/bulk-sync/runs").status == 200)
                try await server.stop()
                let answer = try await rig.get("/api/zoho/health")
                #expect(answer.status == 200)
                #expect(answer.json["status"] as? String == "critical")
                let checks = try #require(answer.json["checks"] as? [[String: Any]])
                let database = try #require(checks.first { $0["name"] as? String == "database" })
                #expect(database["state"] as? String == "critical")
                #expect((database["advice"] as? String)?.contains("DATABASE_URL") == true)
                // It was never shown while the database could tell whether it is good.
                #expect(try await rig.request(.GET, "/api/zoho/health", token: rig.operateToken).status == 503)
                #expect(try await rig.request(.GET, "/api/zoho/health", token: "zs_guess").status == 503)
                #expect(try await rig.request(.GET, "/api/zoho/health").status == 401)
                rig.control.advanceClock(by: .seconds(3_601))
                #expect(try await rig.get("/api/zoho/health").status == 503)
                try await server.start()
                #expect(try await Self.check("database", rig)?["state"] as? String == "ok")
            }
        }
    }

    @Test("A revoked token is worth nothing at once", arguments: Engine.allCases)
    func revoked(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            #expect(try await rig.get("/api/zoho/health").status == 200)
            let token = try #require(try await rig.mirror.apiTokens().first { $0.name == "looks" })
            #expect(try await rig.mirror.revokeAPIToken(token.id))
            #expect(try await rig.get("/api/zoho/health").status == 401)
            try await rig.mirror.database.write { try $0.script("alter table sync_api_tokens rename to elsewhere") }
            #expect(try await rig.get("/api/zoho/health").status == 503)
            try await rig.mirror.database.write { try $0.script("alter table elsewhere rename to sync_api_tokens") }
        }
    }

    @Test("A mirror that has become another organisation's is seen by the server", arguments: Engine.allCases)
    func organisation(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            #expect(try await rig.post("/api/zoho/bulk-sync/bills", headers: ["Prefer": "wait=60"]).status == 200)
            func claim(_ id: String) async throws {
                try await rig.mirror.database.write {
                    _ = try $0.execute("update sync_organization set organization_id = $1", [.text(id)])
                }
            }
            try await claim("1")
            #expect(try await Self.check("organisation", rig)?["state"] as? String == "critical")
            try await claim(rig.control.configuration.organizationID)
            #expect(try await Self.check("organisation", rig)?["state"] as? String == "ok")
        }
    }

    @Test("What comes and what is turned away is counted by the day, and no stranger makes it critical")
    func deliveries() async throws {
        try await ServerRig.with(.sqlite) {
            $0.watch.thresholds.set("webhooks_today", warning: 2, critical: 3)
        } _: { rig in
            func state(_ name: String) async throws -> String? { try await Self.check(name, rig)?["state"] as? String }
            let names = [
                "webhooks_today", "deliveries_refused", "deliveries_unreadable", "deliveries_to_unknown_paths",
            ]
            for name in names { #expect(try await state(name) == "ok") }
            let body = try rig.body(of: .items, rig.control.id(.items, at: 1), key: "item")
            for expected in ["ok", "ok", "warning", "critical"] {
                #expect(try await rig.deliver(body, to: "products").status == 202)
                #expect(try await state("webhooks_today") == expected)
            }
            for _ in 0..<101 {
                #expect(try await rig.request(.POST, "/api/zoho/webhooks/bills", body: Array("{}".utf8)).status == 401)
                #expect(try await rig.request(.POST, "/hooks/zoho/bills", body: Array("{}".utf8)).status == 404)
            }
            #expect(try await rig.deliver("nonsense", to: "bills").status == 202)
            for name in names.dropFirst() { #expect(try await state(name) == "warning") }
            #expect(try await Self.check("deliveries_refused", rig)?["parts"] as? [String: Int] == ["bills": 101])
            rig.control.advanceClock(by: .seconds(86_401))
            for name in names { #expect(try await state(name) == "ok") }
        }
    }

    @Test("Workers of a running server are seen to live, and give their leases back", arguments: Engine.allCases)
    func workers(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            try await rig.expect("select count(*) from sync_leases where name like 'worker %'", gives: "3")
            let check = try await Self.check("worker_silence_seconds", rig)
            #expect(check?["state"] as? String == "ok")
        }
    }
}
