import Foundation
import Mirror
import NIOHTTP1
import TestSupport
import Testing
import ZohoSimulator

@testable import Server

@Suite("Bodies on their way")
struct BodyTests {
    private static func head(_ length: Int, _ headers: String...) -> String {
        let lines =
            ["POST /api/zoho/webhooks/bills HTTP/1.1", "Host: localhost", "Content-Length: \(length)"] + headers
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    private static let signature = "X-Zoho-Webhook-Signature: aaaa"

    @Test("What no header proves is refused before its body comes, and what is too large as soon as it says so")
    func headersAlone() async throws {
        try await ServerRig.with(.sqlite) { rig in
            let stranger = try RawConnection(to: rig.address)
            try stranger.send(Self.head(900_000_000))
            #expect(await stranger.receive().hasPrefix("HTTP/1.1 401 "))
            let large = try RawConnection(to: rig.address)
            try large.send(Self.head(900_000_000, Self.signature))
            #expect(await large.receive().hasPrefix("HTTP/1.1 413 "))
            let broken = try RawConnection(to: rig.address)
            try broken.send(Self.head(100, Self.signature) + "{")
            broken.finishSending()
            #expect(await broken.receive().hasPrefix("HTTP/1.1 400 "))
            let metrics = try await rig.get("/metrics").text
            for result in ["refused", "too_large", "broken_off"] {
                #expect(metrics.contains(#"zohosync_deliveries_total{webhook="bills",result="\#(result)"} 1"#))
            }
            let health = try await rig.get("/api/zoho/health").json
            let checks = try #require(health["checks"] as? [[String: Any]])
            for (name, number) in [("deliveries_turned_away", 2), ("deliveries_refused", 1)] {
                let check = try #require(checks.first { $0["name"] as? String == name })
                #expect(check["state"] as? String == "warning")
                #expect(check["parts"] as? [String: Int] == ["bills": number])
            }
        }
    }

    @Test("A body without a length is refused when it is too large, and a stranger's is not read")
    func chunked() async throws {
        try await ServerRig.with(.sqlite) { rig in
            let large = [UInt8](repeating: 0x20, count: 1 << 20 + 1)
            let path = "/api/zoho/webhooks/bills"
            #expect(try await rig.request(.POST, path, body: large).status == 401)
            let signed = try await rig.request(
                .POST, path, headers: ["X-Zoho-Webhook-Signature": "aaaa", "Transfer-Encoding": "chunked"], body: large)
            #expect(signed.status == 413)
        }
    }

    @Test("A body that does not come in time is not waited for")
    func slow() async throws {
        let clock = ManualClock()
        try await ServerRig.with(.sqlite) {
            $0.server.bodyClock = clock
        } _: { rig in
            let connection = try RawConnection(to: rig.address)
            try connection.send(Self.head(100, Self.signature) + "{")
            let ticking = Task { while !Task.isCancelled { try await clock.advance() } }
            defer { ticking.cancel() }
            #expect(await connection.receive().hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test("All bodies together are bounded, and those that have come make room")
    func together() async throws {
        try await ServerRig.with(.sqlite) {
            $0.server.webhookSecret = nil
            $0.server.bodyCapacity = 100
        } _: { rig in
            let body = [UInt8](repeating: 0x20, count: 60)
            let path = "/api/zoho/webhooks/bills"
            do {
                let half = try RawConnection(to: rig.address)
                try half.send(Self.head(100) + String(repeating: " ", count: 60))
                try await waitUntil("half a body is read") {
                    try await rig.request(.POST, path, body: body).status == 503
                }
                half.finishSending()
                #expect(await half.receive().hasPrefix("HTTP/1.1 400 "))
            }
            #expect(try await rig.request(.POST, path, body: body).status == 200)
        }
    }

    @Test("Who asks before he sends a body is told to go on, or at once that it is in vain")
    func expectation() async throws {
        try await ServerRig.with(.sqlite) { rig in
            let signed = try RawConnection(to: rig.address)
            try signed.send(Self.head(2, Self.signature, "Expect: 100-continue"))
            #expect(await signed.receive().hasPrefix("HTTP/1.1 100 "))
            try signed.send("{}")
            #expect(await signed.receive().hasPrefix("HTTP/1.1 401 "))
            let stranger = try RawConnection(to: rig.address)
            try stranger.send(Self.head(2, "Expect: 100-continue"))
            #expect(await stranger.receive().hasPrefix("HTTP/1.1 401 "))
        }
    }

    @Test("HEAD is answered wherever GET is, without a body")
    func head() async throws {
        try await ServerRig.with(.sqlite) { rig in
            for path in ["/health/live", "/health/ready"] {
                #expect(try await rig.request(.HEAD, path).status == 200)
            }
            for path in ["/api/zoho/health", "/metrics", "/openapi.yaml", "/api/zoho/changes/stream"] {
                #expect(try await rig.request(.HEAD, path, token: rig.readToken).status == 200)
                #expect(try await rig.request(.HEAD, path).status == 401)
            }
            #expect(try await rig.request(.HEAD, "/nowhere").status == 404)
            let wrong = try await rig.request(.HEAD, "/api/zoho/webhooks/bills")
            #expect(wrong.status == 405)
            #expect(wrong.headers.first(name: "Allow") == "POST, PUT")
        }
    }

    @Test(
        "A page of dead letters ends at a number of bytes, and says where the next one begins",
        arguments: Engine.allCases)
    func letters(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            for number in 0..<11 {
                let body = Array("\(number)".utf8) + [UInt8](repeating: 0x78, count: 900_000)
                _ = try await rig.mirror.store([
                    .init(
                        entity: "bills", content: .unreadable(body: body, reason: "none"), receivedAt: 0,
                        requestID: nil)
                ])
            }
            let path = "/api/zoho/dead-letters?limit=1000"
            let first = try await rig.get(path).json
            #expect((first["dead_letters"] as? [Any])?.count == 10)
            let after = try #require(first["next_after"] as? Int)
            let second = try await rig.get("\(path)&after=\(after)").json
            #expect((second["dead_letters"] as? [Any])?.count == 1)
            #expect(second["next_after"] as? Int == nil)
            let retried = try await rig.post("/api/zoho/dead-letters/retry").json
            let outcomes = try #require(retried["outcomes"] as? [String: Int])
            #expect(outcomes.filter { $1 > 0 } == ["failed": 11])
            #expect(outcomes.keys.sorted() == RetryDocument.names.sorted())
        }
    }
}
