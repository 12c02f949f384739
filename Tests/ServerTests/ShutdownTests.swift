import Foundation
import Mirror
import NIOHTTP1
import Sync
import TestSupport
import Testing
import ZohoSimulator

@testable import Server

/// The server's end, as SIGTERM brings it about.
@Suite("Shutdown")
struct ShutdownTests {
    /// After twenty seconds the server ends what does not end by itself.
    private static let bound = Duration.seconds(19)

    @Test("Who waits for a sync is told at once where to look for it", arguments: Engine.allCases)
    func waiting(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.simulator.latency = .seconds(60)
        } _: { rig in
            async let waiting = rig.post("/api/zoho/bulk-sync/products", "", headers: ["Prefer": "wait=300"])
            try await rig.expect("select count(*) from sync_runs where state = 'running'", gives: "1")
            let began = ContinuousClock.now
            await rig.shutDown()
            #expect(ContinuousClock.now - began < Self.bound)
            let answer = try await waiting
            #expect(answer.status == 202)
            #expect(answer.headers.first(name: "Location")?.hasPrefix("/api/zoho/bulk-sync/runs/") == true)
            #expect(try await rig.value("select state from sync_runs") == "interrupted")
        }
    }

    @Test("Half a body holds up neither the shutdown nor what was claimed, and is not taken for a whole one")
    func halfABody() async throws {
        try await ServerRig.with(.sqlite) {
            $0.server.webhookSecret = nil
        } _: { rig in
            let head = "POST /api/zoho/webhooks/bills HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
            let given = try RawConnection(to: rig.address)
            try given.send(head + #"{"bill":{"bill_id":"1"#)
            let open = try RawConnection(to: rig.address)
            try open.send(head + #"{"bill":{"bill_id":"2"#)
            // One breaks off by itself.
            given.finishSending()
            #expect(await given.receive().hasPrefix("HTTP/1.1 400 "))
            let began = ContinuousClock.now
            await rig.shutDown()
            #expect(ContinuousClock.now - began < Self.bound)
            #expect(try await rig.value("select count(*) from sync_dead_letters") == "0")
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
        }
    }

    @Test("A sync is not begun any more when the server stops")
    func noBeginning() async throws {
        try await ServerRig.with(.sqlite) { rig in
            let runs = SyncRuns(rig.mirror) { options, onEvent in
                Synchroniser(
                    client: rig.client, mirror: rig.mirror, options: options, process: "test:9", onEvent: onEvent)
            }
            await runs.stop()
            await #expect(throws: SyncRunsError.stopping) { _ = try await runs.start(SyncOptions()) }
        }
    }
}
