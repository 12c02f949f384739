import Mirror
import Sync
import TestSupport
import Testing
import ZohoSimulator

@testable import Server

@Suite("The share of deletions")
struct DeletionShareTests {
    /// Does once what is scheduled, as a server with this share.
    private static func work(
        _ rig: ServerRig, _ kind: ScheduledTask.Kind, _ entity: String, share: Double
    ) async throws {
        var watch = WatchConfiguration()
        watch.healing.deletions.share = share
        watch.schedule = Schedule { $0 == kind && $1 == entity ? .every(60) : .off }
        let server = try ZohoSyncServer(
            ServerConfiguration(), mirror: rig.mirror, client: rig.client, process: "test:3", watch: watch,
            logger: .silent
        ) { client, options, onEvent in
            Synchroniser(client: client, mirror: rig.mirror, options: options, process: "test:3", onEvent: onEvent)
        }
        await server.scheduler.runDue()
    }

    @Test("The schedule's comparisons go by the share that is set", arguments: Engine.allCases)
    func comparison(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            var options = SyncOptions()
            options.entities = ["invoices"]
            _ = try await Synchroniser(client: rig.client, mirror: rig.mirror, options: options, process: "test:2")
                .run()
            for id in rig.control.ids(.invoices).prefix(6) { try rig.control.delete(.invoices, id: id) }

            func isAsked(share: Double) async throws -> Bool {
                rig.control.advanceClock(by: .seconds(3_600))
                try await Self.work(rig, .reconciliation, "invoices", share: share)
                return try #require(try await rig.mirror.reconciliations(entity: "invoices", limit: 1).first)
                    .needsConsent
            }
            #expect(try await isAsked(share: 0.5))
            #expect(try await !isAsked(share: 0.6))
        }
    }

    @Test("So do the details that its syncs are denied", arguments: Engine.allCases)
    func sync(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            var options = SyncOptions()
            options.entities = ["invoices"]
            options.includesDetails = false
            _ = try await Synchroniser(client: rig.client, mirror: rig.mirror, options: options, process: "test:2")
                .run()
            for id in rig.control.ids(.invoices).prefix(6) { try rig.control.delete(.invoices, id: id) }

            func deleted(share: Double) async throws -> String? {
                // Zoho is asked once a day for what it said to be gone.
                rig.control.advanceClock(by: .seconds(86_401))
                try await Self.work(rig, .incremental, "invoices", share: share)
                return try await rig.value("select count(*) from invoices where deleted_at is not null")
            }
            #expect(try await deleted(share: 0.5) == "0")
            #expect(try await rig.mirror.runs(limit: 1).first?.lastError?.contains("--allow-mass-deletion") == true)
            #expect(try await deleted(share: 0.6) == "6")
        }
    }
}
