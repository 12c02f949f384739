import AsyncHTTPClient
import Foundation
import Hummingbird
import Mirror
import NIOCore
import NIOHTTP1
import NIOSSL
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@testable import Server

@Suite("The HTTP API")
struct APITests {
    // MARK: - Bulk sync

    @Test("A sync answers with its run, and with the result where the caller waits", arguments: Engine.allCases)
    func syncs(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.simulator.limits.callsPerDay = 10_000
        } _: { rig in
            let begun = try await rig.post("/api/zoho/bulk-sync/products", #"{"incremental":false,"batch_size":100}"#)
            #expect(begun.status == 202)
            let location = try #require(begun.headers.first(name: "Location"))
            let end = try await rig.get(location + "/events").text
            #expect(end.contains("event: end\n"))
            #expect(end.contains(#""state":"completed""#))
            let run = try await rig.get(location).json
            #expect(run["fetched"] as? Int == 250)
            #expect(run["entity"] as? String == "products")

            let waited = try await rig.post("/api/zoho/bulk-sync/invoices", "", headers: ["Prefer": "wait=30"])
            #expect(waited.status == 200)
            #expect(waited.headers.first(name: "Preference-Applied") == "wait=30")
            #expect(waited.json["success"] as? Bool == true)
            let stats = try #require(waited.json["stats"] as? [String: Int])
            #expect(stats["inserted"] == 10)
            // The list's ten, and their details.
            #expect(stats["total_processed"] == 20)
            #expect(stats["failed"] == 0)
            #expect(waited.json["duration_seconds"] is NSNumber)

            let status = try await rig.get("/api/zoho/bulk-sync/status").json
            let entities = try #require(status["entities"] as? [[String: Any]])
            #expect(entities.first { $0["entity"] as? String == "products" }?["rows"] as? Int == 250)
            #expect((status["budget"] as? [String: Any])?["remaining_today"] is NSNumber)
            let runs = try await rig.get("/api/zoho/bulk-sync/runs?entity=invoices&state=completed&limit=5").json
            #expect((runs["runs"] as? [[String: Any]])?.count == 1)
            // Page by page, the newest first.
            var seen: [Int] = []
            var before = ""
            while let page = try await rig.get("/api/zoho/bulk-sync/runs?limit=1\(before)").json["runs"]
                as? [[String: Any]],
                let id = page.first?["id"] as? Int
            {
                #expect(page.count == 1)
                seen.append(id)
                before = "&before=\(id)"
            }
            #expect(seen == [2, 1])
            for (path, detail) in [
                ("bulk-sync/runs/999", "There is no run 999."), ("bulk-sync/runs/x/events", "There is no run x."),
            ] {
                let unknown = try await rig.get("/api/zoho/\(path)")
                #expect(unknown.status == 404)
                #expect(unknown.json["detail"] as? String == detail)
            }
            let letter = try await rig.request(.DELETE, "/api/zoho/dead-letters/7?reason=x", token: rig.operateToken)
            #expect(letter.status == 404)
            #expect(letter.json["detail"] as? String == "There is no open dead letter 7.")
        }
    }

    @Test("sync-all brings everything", arguments: Engine.allCases)
    func everything(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let answer = try await rig.post("/api/zoho/bulk-sync/sync-all", "{}", headers: ["Prefer": "wait=100"])
            #expect(answer.status == 200)
            #expect(answer.json["success"] as? Bool == true)
            #expect((answer.json["runs"] as? [Any])?.count == 9)
            #expect((answer.json["stats"] as? [String: Int])?["failed"] == 0)
            try await rig.expect("select count(*) from sync_runs where state = 'completed'", gives: "9")
            #expect(try await rig.value("select count(*) from credit_notes") == "3")
        }
    }

    @Test("A sync that Zoho's end stops midway tells what it has done until then", arguments: Engine.allCases)
    func brokenOff(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            // The lists come, and the first detail of a customer finds nobody.
            rig.control.script(.connectionReset, next: 10_000, prefix: "/contacts/")
            let answer = try await rig.post("/api/zoho/bulk-sync/sync-all", "{}", headers: ["Prefer": "wait=100"])
            #expect(answer.status == 200)
            #expect(answer.json["success"] as? Bool == false)
            #expect((answer.json["error"] as? String)?.contains("cannot be reached") == true)
            #expect((answer.json["message"] as? String)?.contains("stays") == true)
            let runs = try #require(answer.json["runs"] as? [[String: Any]])
            #expect(runs.count == 9)
            #expect(runs.contains { $0["state"] as? String == "failed" })
            let stats = try #require(answer.json["stats"] as? [String: Int])
            let inserted = try await rig.value("select count(*) from sync_changes where kind = 'inserted'")
            #expect(stats["inserted"].map { "\($0)" } == inserted && stats["inserted"] ?? 0 > 250)
            #expect(stats["total_processed"] ?? 0 >= stats["inserted"] ?? 0)
        }
    }

    @Test(
        "A second sync of an entity is refused with the running one, which can be cancelled", arguments: Engine.allCases
    )
    func conflict(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.simulator.latency = .seconds(60)
        } _: { rig in
            let begun = try await rig.post("/api/zoho/bulk-sync/sync-all")
            #expect(begun.status == 202)
            let id = try #require((begun.json["run"] as? [String: Any])?["id"] as? Int)
            let refused = try await rig.post("/api/zoho/bulk-sync/products")
            #expect(refused.status == 409)
            #expect((refused.json["run"] as? [String: Any])?["id"] as? Int == id)
            // Those whose own run has not begun yet name the one that goes on.
            for entity in ["customer-payments", "pricelists", "sync-all"] {
                let refused = try await rig.post("/api/zoho/bulk-sync/\(entity)")
                #expect(refused.status == 409)
                #expect((refused.json["run"] as? [String: Any])?["state"] as? String == "running", "\(entity)")
                #expect(refused.headers.first(name: "Location")?.hasPrefix("/api/zoho/bulk-sync/runs/") == true)
            }
            let path = "/api/zoho/bulk-sync/runs/\(id)"
            #expect(try await rig.request(.DELETE, path, token: rig.operateToken).status == 202)
            try await rig.expect("select state from sync_runs where id = \(id)", gives: "interrupted")
            #expect(try await rig.request(.DELETE, path, token: rig.operateToken).status == 409)
            let again = try await rig.post("/api/zoho/bulk-sync/products")
            #expect(again.status == 202)
        }
    }

    @Test("A sync that another process runs is a conflict too")
    func foreignLease() async throws {
        try await ServerRig.with(.postgres) { rig in
            for entity in ["bills", "customers"] {
                try await rig.mirror.acquireLease("sync \(entity)", holder: "elsewhere:7", duration: 60)
            }
            let run = try await rig.mirror.beginRun(of: "customers", kind: .full, options: "{}", holder: "elsewhere:7")
            let refused = try await rig.post("/api/zoho/bulk-sync/bills")
            #expect(refused.status == 409)
            #expect((refused.json["detail"] as? String)?.contains("elsewhere:7") == true)
            #expect(refused.headers.first(name: "Location") == "/api/zoho/bulk-sync/runs/\(run.id)")
        }
    }

    @Test(
        "Every bad field is named with its reason; what is no JSON and no entity is refused", arguments: Engine.allCases
    )
    func badRequests(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let body = #"{"batch_size":9,"modified_since":"yesterday","active_only":1,"colour":"red","batch_size":10}"#
            let answer = try await rig.post("/api/zoho/bulk-sync/products", body)
            #expect(answer.status == 422)
            #expect(answer.headers.first(name: "Content-Type") == "application/problem+json")
            let errors = try #require(answer.json["errors"] as? [[String: String]])
            try #require(
                errors.map { $0["field"] } == ["batch_size", "modified_since", "active_only", "colour", "batch_size"])
            #expect(errors[0]["reason"]?.contains("10 to 200") == true)
            #expect(try await rig.post("/api/zoho/bulk-sync/products", "[").status == 400)
            let large = try await rig.post("/api/zoho/bulk-sync/products", String(repeating: " ", count: 65_537))
            #expect(large.status == 413)
            #expect(large.json["detail"] as? String == "The body is larger than 65536 bytes.")
            #expect(try await rig.post("/api/zoho/bulk-sync/journals").status == 404)
            #expect(try await rig.get("/api/zoho/bulk-sync/runs?limit=0&state=odd&entity=x").json["errors"] is [Any])
            #expect(try await rig.value("select count(*) from sync_runs") == "0")
        }
    }

    @Test("A wrong refresh token is told as the sync's error, without it")
    func badCredentials() async throws {
        try await ServerRig.with(.sqlite) { rig in
            rig.control.revokeTokens()
            let answer = try await rig.post("/api/zoho/bulk-sync/bills", "", headers: ["Prefer": "wait=30"])
            #expect(answer.status == 200)
            #expect(answer.json["success"] as? Bool == false)
            #expect((answer.json["error"] as? String)?.contains("refresh token") == true)
            #expect(!answer.text.contains(rig.control.configuration.oauth.refreshToken))
        }
    }

    // MARK: - Changes

    @Test("The change log is read page by page, and followed as it grows", arguments: Engine.allCases)
    func changes(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            for index in 0..<3 {
                let body = try rig.body(of: .items, rig.control.id(.items, at: index), key: "item")
                #expect(try await rig.deliver(body, to: "products").status == 202)
                try await rig.expect("select count(*) from products", gives: "\(index + 1)")
            }
            let page = try await rig.get("/api/zoho/changes?limit=2").json
            let changes = try #require(page["changes"] as? [[String: Any]])
            #expect(changes.map { $0["kind"] as? String } == ["inserted", "inserted"])
            let last = try #require(page["last"] as? Int)
            let rest = try await rig.get("/api/zoho/changes?after=\(last)&entity=products").json
            #expect((rest["changes"] as? [Any])?.count == 1)

            // One who lost the connection after the second goes on with the third, and then hears of the next.
            let id = rig.control.id(.items, at: 0)
            let events = try await Self.follow(rig, "/api/zoho/changes/stream", after: last, until: 2) {
                rig.control.advanceClock(by: .seconds(2))
                try rig.control.edit(.items, id: id, ["rate": 77.5])
                #expect(try await rig.deliver(try rig.body(of: .items, id, key: "item"), to: "products").status == 202)
            }
            try #require(events.count == 2)
            #expect(events[0].contains("\"kind\":\"inserted\""))
            #expect(events[1].contains("\"unit_price\""))
            #expect(events[1].contains("77.5"))
        }
    }

    /// Follows a stream until so many events have come; `act` runs once it is open.
    private static func follow(
        _ rig: ServerRig, _ path: String, after: Int, until count: Int, _ act: () async throws -> Void
    ) async throws -> [String] {
        var hasActed = false
        func events(_ text: String) -> [String] {
            text.components(separatedBy: "\n\n").dropLast().filter { $0.contains("data: ") }
        }
        let text = try await rig.follow(path, headers: ["Last-Event-ID": "\(after)"]) { text in
            if !hasActed {
                hasActed = true
                try await act()
            }
            return events(text).count >= count
        }
        return events(text)
    }

    // MARK: - Access

    @Test("Everything but webhooks and liveness needs a token, of the role that suffices", arguments: Engine.allCases)
    func access(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            for path in [
                "/metrics", "/openapi.yaml", "/api/zoho/health", "/api/zoho/changes", "/api/zoho/changes/stream",
                "/api/zoho/dead-letters", "/api/zoho/bulk-sync/runs", "/api/zoho/bulk-sync/status",
            ] {
                let answer = try await rig.request(.GET, path)
                #expect(answer.status == 401)
                #expect(answer.headers.first(name: "WWW-Authenticate") == "Bearer")
            }
            #expect(try await rig.request(.POST, "/api/zoho/bulk-sync/bills", token: rig.readToken).status == 403)
            #expect(try await rig.request(.GET, "/health/live").status == 200)
            #expect(try await rig.request(.GET, "/health/ready").status == 200)
            let id = try #require(try await rig.mirror.apiTokens().first { $0.name == "looks" }?.id)
            #expect(try await rig.mirror.revokeAPIToken(id))
            #expect(try await rig.get("/metrics").status == 401)
            // The token itself is nowhere.
            #expect(
                try await rig.value("select count(*) from sync_api_tokens where digest = '\(rig.readToken)'") == "0")
        }
    }

    @Test("Who guesses is not listened to for a while; who has a token is", arguments: Engine.allCases)
    func guessing(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            #expect(try await rig.get("/metrics").status == 200)
            for guess in 0..<10 {
                #expect(try await rig.request(.GET, "/metrics", token: "zs_\(guess)").status == 401)
            }
            let limited = try await rig.request(.GET, "/metrics", token: "zs_again")
            #expect(limited.status == 429)
            #expect(limited.headers.first(name: "Retry-After") != nil)
            let metrics = try await rig.get("/metrics")
            #expect(metrics.status == 200, "who shares the address and has a token that was right before")
            #expect(metrics.text.contains(#"zohosync_refused_tokens_total{result="wrong"} 10"#))
            #expect(metrics.text.contains(#"zohosync_refused_tokens_total{result="paused"} 1"#))
            let path = "/api/zoho/bulk-sync/status"
            let unseen = try await rig.request(.GET, path, token: rig.operateToken)
            #expect(unseen.status == 429, "who guesses right is not told so")
            let other = try await rig.request(
                .GET, "/metrics", token: "zs_other", headers: ["X-Forwarded-For": "127.0.0.1, 192.0.2.7"])
            #expect(other.status == 401, "a proxy tells callers apart")
            rig.control.advanceClock(by: .seconds(61))
            #expect(try await rig.request(.GET, "/metrics", token: "zs_again").status == 401)
        }
    }

    @Test("With a certificate the server speaks TLS")
    func tls() async throws {
        let folder = Bundle.module.bundleURL.appending(path: "Certificate")
        let certificate = folder.appending(path: "certificate.pem").path
        try await ServerRig.with(.sqlite) {
            $0.server.tls = (certificate, folder.appending(path: "key.pem").path)
        } _: { rig in
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(certificate))
            let client = HTTPClient(configuration: .init(tlsConfiguration: tls))
            let answer = await Result {
                try await client.execute(HTTPClientRequest(url: rig.address + "/health/live"), timeout: .seconds(120))
            }
            try await client.shutdown()
            #expect(try answer.get().status == .ok)
        }
        await #expect(throws: ServerConfigurationError.self) {
            try await ServerRig.with(.sqlite) {
                $0.server.tls = ("/nowhere.pem", "/nowhere.pem")
            } _: { _ in
            }
        }
    }

    // MARK: - Description and metrics

    @Test("The description has every route that is served, and no other")
    func openAPI() async throws {
        try await ServerRig.with(.sqlite) { rig in
            let answer = try await rig.get("/openapi.yaml")
            #expect(answer.headers.first(name: "Content-Type") == "application/yaml")
            var described: Set<String> = []
            var path = ""
            for line in answer.text.split(separator: "\n") {
                if line.hasPrefix("  /") { path = String(line.dropFirst(2).dropLast()) }
                if line.hasPrefix("    "), line.hasSuffix(":"), !line.hasPrefix("     ") {
                    let method = line.dropFirst(4).dropLast()
                    if ["get", "post", "put", "delete"].contains(method) { described.insert("\(method) \(path)") }
                }
            }
            for name in Schema.documents.map(\.key) {
                #expect(answer.text.contains("\n    \(name):\n      type: object\n"))
            }
            #expect(!answer.text.contains("schema: {}"))
            let server = try Self.unstarted(rig.mirror)
            let served = Set(
                server.router().routes.map { "\($0.method.rawValue.lowercased()) \($0.path)" })
            #expect(described == served)
            #expect(served.count == 24)
        }
    }

    private static func unstarted(_ mirror: Mirror) throws -> ZohoSyncServer {
        let configuration = ZohoBooksConfiguration(
            clientID: "", clientSecret: Secret(""), refreshToken: Secret(""), organizationID: "", dataCenter: .com)
        let client = ZohoBooksClient(
            configuration: configuration, http: HTTPClient.shared, tokens: InMemoryTokenStore(),
            calls: InMemoryCallLedger(), logger: .silent)
        return try ZohoSyncServer(
            ServerConfiguration(), mirror: mirror, client: client, process: "", logger: .silent
        ) { client, options, onEvent in
            Synchroniser(client: client, mirror: mirror, options: options, process: "", onEvent: onEvent)
        }
    }

    @Test("Metrics tell deliveries, lag, outcomes, runs and calls", arguments: Engine.allCases)
    func metrics(engine: Engine) async throws {
        // Only where a day has an end is there something left of it.
        try await ServerRig.with(engine) {
            $0.simulator.limits.callsPerDay = 10_000
        } _: { rig in
            let body = try rig.body(of: .bills, rig.control.id(.bills, at: 0), key: "bill")
            #expect(try await rig.deliver(body, to: "bills").status == 202)
            try await rig.expect("select count(*) from bills", gives: "1")
            _ = try await rig.post("/api/zoho/bulk-sync/bills", "", headers: ["Prefer": "wait=30"])
            let answer = try await rig.get("/metrics")
            #expect(answer.headers.first(name: "Content-Type") == "text/plain; version=0.0.4")
            for line in [
                #"zohosync_deliveries_total{webhook="bills",result="accepted"} 1"#,
                #"zohosync_applied_total{entity="bills",outcome="inserted"} 1"#,
                #"zohosync_delivery_lag_seconds_count{kind="record"} 1"#, "zohosync_inbox_depth 0",
                "zohosync_dead_letters 0", #"zohosync_runs{entity="bills",state="completed"} 1"#,
                #"zohosync_runs_ended_total{entity="bills",kind="full",state="completed"} 1"#,
                "zohosync_run_calls{entity=\"bills\",state=\"completed\"} ", "zohosync_calls_left_today ",
            ] { #expect(answer.text.contains(line), "\(line)") }
            // All calls are counted, whoever made them.
            let calls = rig.control.statistics.calls
            #expect(answer.text.contains("zohosync_calls_total{result=\"ok\"} \(calls)\n"))
            // A counter never falls, and what the mirror forgets is no counter.
            let counters = answer.text.split(separator: "\n").filter { $0.hasSuffix(" counter") }
            #expect(counters.allSatisfy { $0.contains("_total ") })
        }
    }
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
