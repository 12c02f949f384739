import Database
import Dispatch
import Foundation
import Mirror
import NIOHTTP1
import TestSupport
import Testing
import ZohoSimulator

@testable import Server

@Suite("A database that hangs")
struct HangTests {
    @Test("While PostgreSQL hangs deliveries are refused in time, and whoever asks is told so")
    func hanging() async throws {
        try await PostgresServer.withStoppable { postgres in
            let clock = ManualClock()
            try await ServerRig.with(.postgres) {
                $0.location = .postgres(url: postgres.url)
                $0.server.clock = clock
            } _: { rig in
                let body = try rig.body(of: .items, rig.control.id(.items, at: 1), key: "item")
                #expect(try await rig.deliver(body, to: "products").status == 202)
                try await rig.expect("select count(*) from products", gives: "1")
                #expect(try await rig.get("/metrics").text.contains("zohosync_database_up 1\n"))
                try await postgres.hanging {
                    let ticking = Task { while !Task.isCancelled { try await clock.advance() } }
                    defer { ticking.cancel() }
                    for _ in 0..<2 {
                        let refused = try await rig.deliver(body, to: "products")
                        #expect(refused.status == 503)
                        #expect(refused.headers.first(name: "Retry-After") == "30")
                    }
                    #expect(try await rig.request(.GET, "/health/live").status == 200)
                    #expect(try await rig.request(.GET, "/health/ready").status == 503)
                    let health = try await rig.get("/api/zoho/health")
                    #expect(health.status == 200)
                    #expect(health.json["status"] as? String == "critical")
                    let metrics = try await rig.get("/metrics")
                    #expect(metrics.status == 200)
                    #expect(metrics.text.contains("zohosync_database_up 0\n"))
                    #expect(metrics.text.contains(#"webhook="products",result="unavailable"} 2"#))
                    #expect(!metrics.text.contains("zohosync_inbox_depth"))
                    #expect(try await rig.get("/api/zoho/bulk-sync/status").status == 503)
                    #expect(try await rig.get("/api/zoho/changes").status == 503)
                    #expect(try await rig.request(.GET, "/metrics", token: rig.operateToken).status == 503)
                }
                try await waitUntil("deliveries are stored again") {
                    try await rig.deliver(body, to: "products").status == 202
                }
                #expect(try await rig.request(.GET, "/health/ready").status == 200)
            }
        }
    }

    @Test("A shutdown ends in time although PostgreSQL hangs")
    func shutdown() async throws {
        try await PostgresServer.withStoppable { postgres in
            try await ServerRig.with(.postgres) {
                $0.location = .postgres(url: postgres.url)
                $0.server.shutdownTimeout = .milliseconds(200)
                $0.server.stopTimeout = .milliseconds(300)
            } _: { rig in
                try await postgres.hanging {
                    async let refused = rig.deliver(#"{"item":{}}"#, to: "products")
                    let began = ContinuousClock.now
                    await rig.shutDown()
                    #expect(ContinuousClock.now - began < .seconds(10))
                    _ = try? await refused
                }
            }
        }
    }

    @Test("What waits for a locked table when the time of a shutdown is over is given back")
    func locked() async throws {
        try await ServerRig.with(.postgres) {
            $0.server.shutdownTimeout = .milliseconds(500)
        } _: { rig in
            let (locks, lock) = AsyncStream.makeStream(of: Never.self)
            let release = DispatchSemaphore(value: 0)
            let holding = Task {
                try await rig.mirror.database.write { transaction in
                    try transaction.script("lock table products")
                    lock.finish()
                    release.wait()
                }
            }
            for await _ in locks {}
            let body = try rig.body(of: .items, rig.control.id(.items, at: 1), key: "item")
            #expect(try await rig.deliver(body, to: "products").status == 202)
            try await rig.expect("select deaths from sync_inbox", gives: "1")
            await rig.shutDown()
            let free = try await rig.value(
                "select count(*) from sync_inbox where claimed_by is null and deaths = 0 and attempts = 0")
            #expect(free == "1")
            release.signal()
            try await holding.value
        }
    }
}
