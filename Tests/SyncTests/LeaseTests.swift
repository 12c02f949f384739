import Catalog
import Database
import Foundation
import Logging
import Mirror
import Sync
import Synchronization
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
                    _ = try await Reconciler(client: client, mirror: rig.mirror, options: options, process: "test:1")
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

    @Test(
        "A sync that stood still while another one took over leaves the cursor and the runs alone",
        arguments: Engine.allCases)
    func takenOver(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let gate = Gate()
            let slow = Task {
                defer { gate.open() }
                return try await rig.report(["products"], process: "slow:1", inFlight: 1) {
                    $0.includesDetails = false
                } onEvent: { event in
                    if event.phase == .list { await gate.wait() }
                }
            }
            await gate.reached()
            rig.control.advanceClock(by: .seconds(61))
            #expect(try await rig.sync(["products"], process: "quick:1").isSuccess)
            let cursor = try await rig.mirror.cursor(of: "products")
            let changes = try await rig.value("select count(*) from sync_changes")
            gate.open()
            let report = try await slow.value
            #expect(report.failure as? MirrorError == .leaseLost(name: "sync products"))
            #expect(report.runs.map(\.state) == [.interrupted])
            #expect(report.runs.first?.lastError?.contains("was lost") == true)
            let runs = try await rig.mirror.runs()
            #expect(runs.map(\.state) == [.completed, .interrupted])
            #expect(runs.last?.lastError?.contains("was lost") == true)
            #expect(runs.last?.progress.pages == 1)
            #expect(try await rig.mirror.cursor(of: "products") == cursor)
            #expect(cursor.resumePage == nil)
            #expect(try await rig.value("select count(*) from sync_changes") == changes)
            #expect(try await rig.mirror.leases().isEmpty)
        }
    }

    @Test("A comparison that stood still while a sync took over repairs nothing any more", arguments: Engine.allCases)
    func comparisonTakenOver(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"])
            try await rig.mirror.database.write { try $0.script("update products set name = 'drift'") }
            let gate = Gate()
            let slow = Task {
                defer { gate.open() }
                return try await rig.withClient { client in
                    var options = ReconciliationOptions()
                    options.entities = ["products"]
                    options.repairs = true
                    return try await Reconciler(
                        client: client, mirror: rig.mirror, options: options, process: "slow:1",
                        onEvent: { event in if case .listed = event { await gate.wait() } }
                    ).run()
                }
            }
            await gate.reached()
            rig.control.advanceClock(by: .seconds(61))
            #expect(try await rig.sync(["products"], process: "quick:1").isSuccess)
            gate.open()
            await #expect(throws: MirrorError.leaseLost(name: "sync products")) { try await slow.value }
            #expect(try await rig.value("select count(*) from products where name <> 'drift'") == "0")
            let runs = try await rig.mirror.runs()
            #expect(runs.map(\.state) == [.completed, .interrupted, .completed])
            #expect(runs[1].lastError?.contains("was lost") == true)
            #expect(try await rig.mirror.reconciliations().isEmpty)
        }
    }

    @Test("What holds leases writes only while it has all of them", arguments: Engine.allCases)
    func fence(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let names = ["sync bills", "sync invoices"]
            for name in names { try await mirror.acquireLease(name, holder: "a#1", duration: 60) }
            let fenced = mirror.fenced(by: names, of: "a#1")
            let run = try await fenced.beginRun(of: "bills", kind: .full, options: "{}", holder: "a#1")
            // Nobody wanted it meanwhile.
            time.advance(by: 61)
            try await fenced.save(Cursor(entity: "bills"))
            try await mirror.renewLease("sync bills", holder: "a#1", duration: 60)
            try await mirror.renewLease("sync invoices", holder: "a#1", duration: 60)
            time.advance(by: 61)
            try await mirror.acquireLease("sync invoices", holder: "b#1", duration: 60)
            let lost = MirrorError.leaseLost(name: "sync invoices")
            var cursor = Cursor(entity: "bills")
            cursor.listCount = 7
            await #expect(throws: lost) { try await fenced.save(cursor) }
            await #expect(throws: lost) { try await fenced.finish(run, .completed) }
            await #expect(throws: lost) {
                try await mirror.renewLease("sync invoices", holder: "a#1", duration: 60)
            }
            #expect(try await mirror.cursor(of: "bills").listCount == nil)
            #expect(try await mirror.run(run.id)?.state == .running)
            try await mirror.releaseLease("sync invoices", holder: "b#1")
            await #expect(throws: lost, "what somebody else had meanwhile is not renewed") {
                try await mirror.renewLease("sync invoices", holder: "a#1", duration: 60)
            }
            await #expect(throws: lost) { try await fenced.save(cursor) }
        }
    }

    @Test("Who was slow does not go on in a run that healing has ended", arguments: Engine.allCases)
    func endedByHealing(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.acquireLease("sync bills", holder: "a#1", duration: 60)
            try await mirror.acquireLease("sync invoices", holder: "b#1", duration: 120)
            let fenced = mirror.fenced(by: ["sync bills"], of: "a#1")
            let run = try await fenced.beginRun(of: "bills", kind: .full, options: "{}", holder: "a#1")
            time.advance(by: 61)
            #expect(try await mirror.endAbandonedRuns() == 1)
            await #expect(throws: MirrorError.leaseLost(name: "sync bills")) {
                try await fenced.finish(run, .completed)
            }
            #expect(try await mirror.leases().map(\.name) == ["sync invoices"])
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
                Mirror(database: database, now: { time.now }, usesDatabaseClock: true, logger: silent)
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

    @Test("A lease that is renewed while healing looks at it stays", arguments: Engine.allCases)
    func renewed(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.acquireLease("sync bills", holder: "a:1", duration: 60)
            time.advance(by: 3_600)
            let lapsed = try #require(try await mirror.leases().first)
            #expect(lapsed.state == .lapsed)
            try await mirror.acquireLease("sync bills", holder: "a:1", duration: 60)
            #expect(try await mirror.takeBack(lapsed) == false)
            let renewed = try #require(try await mirror.leases().first)
            #expect(try await mirror.takeBack(renewed))
            #expect(try await mirror.leases().isEmpty)
        }
    }
}

/// Keeps a work waiting until a test lets it go on.
private final class Gate: Sendable {
    private let arrivals = AsyncStream<Void>.makeStream()
    private let isOpen = Mutex(false)

    /// Waits at the gate until it is open, or the task is cancelled.
    func wait() async {
        arrivals.continuation.yield()
        while !isOpen.withLock({ $0 }), !Task.isCancelled { await Task.yield() }
    }

    /// Comes back when somebody waits, or the gate is open.
    func reached() async {
        for await _ in arrivals.stream { break }
    }

    func open() {
        isOpen.withLock { $0 = true }
        arrivals.continuation.finish()
    }
}
