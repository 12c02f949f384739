import Catalog
import Database
import Foundation
import Logging
import Mirror
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Leases")
struct LeaseTests {
    @Test("Works of one process exclude each other as those of two do", arguments: Engine.allCases)
    func oneProcess(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let began = AsyncStream<Void>.makeStream()
            let first = Task {
                defer { began.continuation.finish() }
                return try await rig.sync(
                    ["products"],
                    onEvent: { event in
                        guard event.phase == .list else { return }
                        began.continuation.yield()
                        while !Task.isCancelled { await Task.yield() }
                    })
            }
            for await _ in began.stream { break }
            let lease = try #require(try await rig.mirror.leases().first)
            await #expect(throws: MirrorError.self) { try await rig.sync(["products"]) }
            await #expect(throws: MirrorError.self) {
                try await rig.withClient { client in
                    var options = ReconciliationOptions()
                    options.entities = ["products"]
                    _ = try await Reconciler(client: client, mirror: rig.mirror, options: options, holder: "test:1")
                        .run()
                }
            }
            #expect(try await rig.mirror.runs().map(\.state) == [.running])
            #expect(try await rig.mirror.leases().first?.holder == lease.holder, "who was refused gives nothing back")
            first.cancel()
            _ = await first.result
            #expect(try await rig.mirror.leases().isEmpty)
            #expect(try await rig.sync(["products"]).isSuccess)
        }
    }

    @Test("A run whose holder still has the lease is not taken for abandoned", arguments: Engine.allCases)
    func livingRun(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            try await mirror.acquireLease("sync bills", holder: "a#1", duration: 60)
            let living = try await mirror.beginRun(of: "bills", kind: .full, options: "{}", holder: "a#1")
            _ = try await mirror.beginRun(of: "bills", kind: .full, options: "{}", holder: "a#2")
            #expect(try await mirror.run(living.id)?.state == .running)
            try await mirror.releaseLease("sync bills", holder: "a#1")
            _ = try await mirror.beginRun(of: "bills", kind: .full, options: "{}", holder: "a#3")
            #expect(try await mirror.run(living.id)?.state == .interrupted)
        }
    }

    @Test("A server whose clock is ahead takes no lease away: PostgreSQL's clock counts")
    func databaseClock() async throws {
        try await withDatabase(.postgres) { database in
            let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            let here = ManualTime()
            let mirrors = [here, ManualTime(here.now + 3_600_000_000)].map { time in
                Mirror(database: database, now: { time.now }, goesByDatabaseClock: true, logger: silent)
            }
            try await mirrors[0].prepare(organizationID: testOrganisation)
            try await mirrors[0].acquireLease("sync bills", holder: "a:1", duration: 60)
            let run = try await mirrors[0].beginRun(of: "bills", kind: .full, options: "{}", holder: "a:1")
            await #expect(throws: MirrorError.self) {
                try await mirrors[1].acquireLease("sync bills", holder: "b:1", duration: 60)
            }
            #expect(try await mirrors[1].leases().map(\.state) == [.held])
            #expect(try await mirrors[1].endAbandonedRuns() == 0)
            try await mirrors[0].acquireLease("sync invoices", holder: "a:1", duration: -1)
            try await mirrors[1].acquireLease("sync invoices", holder: "b:1", duration: 60)
            try await mirrors[0].releaseLease("sync bills", holder: "a:1")
            #expect(try await mirrors[1].endAbandonedRuns() == 1)
            #expect(try await mirrors[0].run(run.id)?.state == .interrupted)
        }
    }

    @Test("A lease that is prolonged while healing looks at it stays", arguments: Engine.allCases)
    func prolonged(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.acquireLease("sync bills", holder: "a:1", duration: 60)
            time.advance(by: 3_600)
            let lapsed = try #require(try await mirror.leases().first)
            #expect(lapsed.state == .lapsed)
            try await mirror.acquireLease("sync bills", holder: "a:1", duration: 60)
            #expect(try await mirror.takeBack(lapsed) == false)
            let prolonged = try #require(try await mirror.leases().first)
            #expect(try await mirror.takeBack(prolonged))
            #expect(try await mirror.leases().isEmpty)
        }
    }
}
