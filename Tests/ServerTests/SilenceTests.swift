import Database
import Foundation
import Mirror
import NIOHTTP1
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

    @Test("Workers of a running server are seen to live, and give their leases back", arguments: Engine.allCases)
    func workers(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            try await rig.expect("select count(*) from sync_leases where name like 'worker %'", gives: "3")
            let check = try await Self.check("worker_silence_seconds", rig)
            #expect(check?["state"] as? String == "ok")
        }
    }
}
