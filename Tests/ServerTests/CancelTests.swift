import Foundation
import Mirror
import NIOHTTP1
import Sync
import TestSupport
import Testing
import ZohoSimulator

@testable import Server

@Suite("Stopping runs")
struct CancelTests {
    @Test("A run is stopped through any server on the mirror")
    func foreign() async throws {
        try await ServerRig.with(.postgres) {
            $0.simulator.latency = .seconds(60)
        } _: { rig in
            let begun = try await rig.post("/api/zoho/bulk-sync/products")
            let id = try #require((begun.json["run"] as? [String: Any])?["id"] as? Int)
            let status = try await rig.withAnotherServer { other in
                try await other.request(.DELETE, "/api/zoho/bulk-sync/runs/\(id)", token: other.operateToken).status
            }
            #expect(status == 202)
            try await rig.expect("select state from sync_runs where id = \(id)", gives: "interrupted")
        }
    }

    @Test("A comparison is stopped like a sync", arguments: Engine.allCases)
    func comparison(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.simulator.latency = .seconds(60)
        } _: { rig in
            var options = ReconciliationOptions()
            options.entities = ["bills"]
            let reconciler = Reconciler(client: rig.client, mirror: rig.mirror, options: options, process: "test:1")
            let report = Task { try await reconciler.run() }
            try await rig.expect("select count(*) from sync_runs where state = 'running'", gives: "1")
            let id = try #require(try await rig.value("select id || '' from sync_runs"))
            let path = "/api/zoho/bulk-sync/runs/\(id)"
            #expect(try await rig.request(.DELETE, path, token: rig.operateToken).status == 202)
            await #expect(throws: CancellationError.self) { _ = try await report.value }
            try await rig.expect("select state from sync_runs", gives: "interrupted")
        }
    }

    @Test("Stopping one run of a sync stops the sync, with all its entities")
    func wholeSync() async throws {
        // Products have two pages and contacts one; the list after them is never answered.
        let clock = GateClock(passes: 3)
        try await ServerRig.with(.sqlite) {
            $0.simulator.latency = .seconds(1)
            $0.simulator.clock = clock
        } _: { rig in
            _ = try await rig.post("/api/zoho/bulk-sync/sync-all")
            try await rig.expect("select count(*) > 3 from sync_runs", gives: "1")
            let path = "/api/zoho/bulk-sync/runs/4"
            #expect(try await rig.request(.DELETE, path, token: rig.operateToken).status == 202)
            try await rig.expect("select count(*) from sync_runs where state = 'running'", gives: "0")
            #expect(try await rig.value("select state from sync_runs where id = 4") == "interrupted")
        }
    }

    @Test("Who follows a quiet run sees that the connection lives")
    func quietRun() async throws {
        try await ServerRig.with(.sqlite) {
            $0.simulator.latency = .seconds(60)
            $0.server.keepAlive = .milliseconds(500)
        } _: { rig in
            let begun = try await rig.post("/api/zoho/bulk-sync/bills")
            let location = try #require(begun.headers.first(name: "Location"))
            let comments = try await rig.follow(location + "/events") {
                $0.components(separatedBy: ": still here").count > 3
            }
            #expect(comments.contains("event: progress"))
        }
    }
}
