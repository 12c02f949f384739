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

/// Workers, leases and runs that hang, and what healing does about them.
@Suite("Healing of what hangs")
struct HealWorkTests {
    @Test(
        "A worker that hangs in a living process stays seen; that of a process that ended goes",
        arguments: Engine.allCases)
    func workers(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func lease(_ worker: String, of process: String) async throws {
                try await rig.mirror.acquireLease("worker \(worker)", holder: process, duration: 60)
            }
            func silence() async throws -> HealthCheck.State? {
                try await HealthTests.checks(rig, expectsWebhooks: true)["worker_silence_seconds"]?.state
            }
            #expect(try await silence() == .warning)
            try await lease("test:1#1", of: "test:1")
            try await lease("far:1#1", of: "far:1")
            #expect(try await silence() == .ok)
            rig.control.advanceClock(by: .seconds(7_200))
            // Another worker of the same process lives.
            try await lease("far:1#2", of: "far:1")
            #expect(try await HealTests.heal(rig)["release_leases"] == nil)
            #expect(try await silence() == .critical)
            // Of a process on another machine nothing is known but that it renews nothing.
            rig.control.advanceClock(by: .seconds(120))
            #expect(try await HealTests.heal(rig)["release_leases"] == nil)
            rig.control.advanceClock(by: .seconds(61))
            #expect(try await HealTests.heal(rig)["release_leases"]?.changed == 2)
            #expect(
                try await rig.mirror.leases().map(\.name) == ["worker test:1#1"], "healing itself proves that it lives")
            #expect(try await silence() == .critical)

            try await rig.mirror.releaseLease("worker test:1#1", holder: "test:1")
            try await lease("dead:1#1", of: "dead:1")
            rig.control.advanceClock(by: .seconds(1_000))
            #expect(try await silence() == .critical)
            #expect(try await HealTests.heal(rig)["release_leases"]?.changed == 1)
            #expect(try await silence() == .warning, "no worker runs")
        }
    }

    @Test(
        "A server that is killed on another machine is no fault while others work, and healing clears it away",
        arguments: Engine.allCases)
    func killedServer(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func beat(_ process: String) async throws {
                try await rig.mirror.acquireLease("worker \(process)#1", holder: process, duration: 60)
            }
            func silence() async throws -> HealthCheck.State? {
                try await HealthTests.checks(rig, expectsWebhooks: true)["worker_silence_seconds"]?.state
            }
            try await beat("killed:1")
            for minute in 1...16 {
                rig.control.advanceClock(by: .seconds(60))
                try await beat("test:1")
                #expect(try await silence() == .ok, "minute \(minute)")
            }
            #expect(try await HealTests.heal(rig)["release_leases"]?.changed == 1)
            #expect(try await rig.mirror.leases().map(\.process) == ["test:1"])
            // The last one that worked is missed.
            rig.control.advanceClock(by: .seconds(961))
            #expect(try await silence() == .critical)
        }
    }

    @Test(
        "A stuck worker is stopped and begins anew, and one that works goes on", .timeLimit(.minutes(30)),
        arguments: Engine.allCases)
    func stuckWorker(engine: Engine) async throws {
        let (answers, clock) = (ManualClock(), ManualClock())
        try await Rig.with(engine) {
            $0.slowAnswer = .seconds(600)
            $0.clock = answers
        } _: { rig in
            let id = rig.control.id(.invoices, at: 0)
            rig.control.script(.slowAnswer, next: 1, prefix: "/invoices")
            _ = try await rig.mirror.mark([id], of: try #require(Catalog.entity(named: "invoices")))
            try await rig.withClient { client in
                let (reports, continuation) = AsyncStream.makeStream(of: DeliveryReport.self)
                let processor = DeliveryProcessor(
                    mirror: rig.mirror, client: client, process: "test:1", workers: 1, timeout: .seconds(900),
                    clock: clock, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
                ) { continuation.yield($0) }
                try await withThrowingTaskGroup { group in
                    group.addTask { try await processor.run() }
                    try await answers.untilAsleep()
                    clock.advance(by: .seconds(600))
                    try await rig.deliverProduct(at: 0)
                    _ = await reports.first { $0.entity == "products" }
                    clock.advance(by: .seconds(600))
                    _ = await reports.first { $0.entity == "invoices" && $0.outcomes == [.inserted: 1] }
                    try await waitUntil("healing is recorded") { try await !rig.mirror.healings().isEmpty }
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
            #expect(try await rig.mirror.healings().map(\.action) == ["restart_worker"])
            #expect(try await rig.value("select count(*) from invoices") == "1")
        }
    }

    @Test("A restart of a worker that cannot be recorded is logged", .timeLimit(.minutes(30)))
    func unrecordedRestart() async throws {
        let (clock, log) = (ManualClock(), LogRecorder())
        try await Rig.with(.sqlite) {
            $0.slowAnswer = .seconds(600)
            $0.clock = clock
        } _: { rig in
            try await rig.tamper("drop table sync_actions")
            rig.control.script(.slowAnswer, next: 1, prefix: "/invoices")
            let id = rig.control.id(.invoices, at: 0)
            _ = try await rig.mirror.mark([id], of: try #require(Catalog.entity(named: "invoices")))
            try await rig.withClient { client in
                let clock = ManualClock()
                let processor = DeliveryProcessor(
                    mirror: rig.mirror, client: client, process: "test:1", workers: 1, timeout: .seconds(900),
                    clock: clock, logger: log.logger)
                try await withThrowingTaskGroup { group in
                    group.addTask { try await processor.run() }
                    try await clock.untilAsleep()
                    clock.advance(by: .seconds(901))
                    try await waitUntil("it is logged") { log.lines.contains { $0.contains("cannot be recorded") } }
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("Stuck leases and endless runs are seen, and ended by healing", arguments: Engine.allCases)
    func leases(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.mirror.acquireLease("sync invoices", holder: "dead:1", duration: 60)
            _ = try await rig.mirror.beginRun(of: "invoices", kind: .full, options: "{}", holder: "dead:1")
            #expect(try await HealthTests.checks(rig)["leases_stuck"]?.state == .ok)
            rig.control.advanceClock(by: .seconds(1_862))
            let checks = try await HealthTests.checks(rig)
            #expect(checks["leases_stuck"]?.state == .warning)
            #expect(checks["runs_endless"]?.state == .warning)
            #expect(checks["runs_endless"]?.parts == ["invoices": 1])
            let planned = try await rig.withClient { try await HealTests.healer(rig, $0).plan() }
            #expect(planned.map(\.action).contains(.releaseLeases))
            #expect(planned.map(\.action).contains(.endRuns))
            #expect(try await rig.mirror.healings().isEmpty, "a plan does nothing")
            let done = try await HealTests.heal(rig)
            #expect(done["release_leases"]?.changed == 1)
            #expect(done["end_runs"]?.changed == 1)
            #expect(try await rig.mirror.runs(entity: "invoices").first?.state == .interrupted)
            let after = try await HealthTests.checks(rig)
            #expect(after["leases_stuck"]?.state == .ok)
            #expect(after["runs_endless"]?.state == .ok)
            #expect(try await HealTests.heal(rig).isEmpty, "twice changes nothing")
        }
    }

    @Test(
        "A worker that hangs in the database is given up, and another one goes on where it is free again",
        .timeLimit(.minutes(30)))
    func blockedWorker() async throws {
        let clock = ManualClock()
        try await Rig.with(.postgres) { rig in
            try await Self.withBlockedProducts(rig, clock, restarts: true) { unblock in
                clock.advance(by: .seconds(900))
                try await waitUntil("healing is recorded") { try await !rig.mirror.healings().isEmpty }
                unblock()
                // The claim of the one that was given up comes back when its lease ends.
                rig.control.advanceClock(by: .seconds(61))
            }
            #expect(Set(try await rig.mirror.healings().map(\.action)) == ["restart_worker"])
        }
    }

    @Test("A worker is left to hang where restarting it is switched off", .timeLimit(.minutes(30)))
    func blockedWorkerLeftAlone() async throws {
        let clock = ManualClock()
        try await Rig.with(.postgres) { rig in
            try await Self.withBlockedProducts(rig, clock, restarts: false) { unblock in
                clock.advance(by: .seconds(3_600))
                unblock()
            }
            #expect(try await rig.mirror.healings().isEmpty)
        }
    }

    /// Delivers a product while another session holds the table, and waits until it is applied.
    private static func withBlockedProducts(
        _ rig: Rig, _ clock: ManualClock, restarts: Bool,
        _ body: (_ unblock: @Sendable () -> Void) async throws -> Void
    ) async throws {
        try await rig.deliverProduct(at: 0)
        let gate = DispatchSemaphore(value: 0)
        try await rig.withClient { client in
            let (reports, reported) = AsyncStream.makeStream(of: DeliveryReport.self)
            let processor = DeliveryProcessor(
                mirror: rig.mirror, client: client, process: "test:1", timeout: .seconds(900),
                restartsWorkers: restarts, clock: clock,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            ) { reported.yield($0) }
            let (locked, continuation) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup { group in
                group.addTask {
                    defer { continuation.finish() }
                    try await rig.mirror.database.write { transaction in
                        try transaction.script("lock table products in exclusive mode")
                        continuation.yield()
                        gate.wait()
                    }
                }
                for await _ in locked { break }
                group.addTask { try await processor.run() }
                try await waitUntil("a worker waits for the table") {
                    try await rig.value(
                        "select count(*) from pg_locks where relation = 'products'::regclass and not granted") != "0"
                }
                try await body { gate.signal() }
                _ = await reports.first { $0.outcomes == [.inserted: 1] }
                #expect(try await rig.value("select count(*) from products") == "1")
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }
}
