import Foundation
import NIOHTTP1
import TestSupport
import Testing
import ZohoSimulator

@testable import Server

@Suite("Tokens over HTTP")
struct TokenTests {
    @Test("A token is made, works at once, and is worthless when it is revoked", arguments: Engine.allCases)
    func life(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let made = try await rig.post("/api/zoho/tokens", #"{"name":"grafana"}"#)
            #expect(made.status == 201)
            #expect(made.json["role"] as? String == "read")
            let token = try #require(made.json["token"] as? String)
            let id = try #require(made.json["id"] as? Int)
            #expect(try await rig.request(.GET, "/metrics", token: token).status == 200)
            #expect(try await rig.request(.GET, "/api/zoho/tokens", token: token).status == 403)
            let list = try await rig.request(.GET, "/api/zoho/tokens", token: rig.operateToken)
            #expect((list.json["tokens"] as? [[String: Any]])?.count == 3)
            #expect(!list.text.contains(token))
            let path = "/api/zoho/tokens/\(id)"
            let revoked = try await rig.request(.DELETE, path, token: rig.operateToken)
            #expect(revoked.status == 200)
            #expect(revoked.json["revoked_at"] is String)
            #expect(try await rig.request(.GET, "/metrics", token: token).status == 401)
            #expect(try await rig.request(.DELETE, path, token: rig.operateToken).status == 404)
        }
    }

    @Test("What is no token is refused, field by field")
    func refusals() async throws {
        try await ServerRig.with(.sqlite) { rig in
            let answer = try await rig.post("/api/zoho/tokens", #"{"name":"","role":"admin","scope":1}"#)
            #expect(answer.status == 422)
            let errors = try #require(answer.json["errors"] as? [[String: String]])
            #expect(errors.map { $0["field"] } == ["name", "role", "scope"])
            #expect(try await rig.post("/api/zoho/tokens").status == 400)
            #expect(try await rig.post("/api/zoho/tokens", "{}").status == 422)
            #expect(try await rig.value("select count(*) from sync_api_tokens") == "2")
        }
    }
}
