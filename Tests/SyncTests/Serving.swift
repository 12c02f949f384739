import Foundation
import Logging
import Mirror
import Sync
import Testing
import ZohoBooks
import ZohoSimulator

/// What a server does by itself, put together as the server does it.
struct Serving: Sendable {
    let rig: Rig
    let client: ZohoBooksClient
    let processor: DeliveryProcessor
    let scheduler: Scheduler
    let healer: Healer

    static func with<T>(
        _ rig: Rig, schedule: Schedule = .standard, random: @escaping @Sendable () -> Double = { 0.5 },
        _ body: (Serving) async throws -> T
    ) async throws -> T {
        let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        return try await rig.withClient { client in
            let (mirror, process) = (rig.mirror, "test:1")
            let processor = DeliveryProcessor(
                mirror: mirror, client: client, process: process, random: { 0 }, logger: silent)
            let runs = SyncRuns(mirror) { options, onEvent in
                Synchroniser(client: client, mirror: mirror, options: options, process: process, onEvent: onEvent)
            }
            let synchronise: @Sendable (SyncOptions) async throws -> SyncReport = { options in
                try await runs.start(options).report.value.get()
            }
            let healer = Healer(
                mirror: mirror, client: client, options: HealingOptions(), process: process, isDead: { _ in false },
                processor: processor, synchronise: synchronise)
            let watch = HealthWatch(
                mirror: mirror, inspector: HealthInspector(mirror: mirror, client: client, organizationID: nil),
                organization: "1", logger: silent)
            let scheduler = Scheduler(
                schedule, zone: try #require(TimeZone(identifier: "UTC")), mirror: mirror, process: process,
                isDead: { _ in false },
                work: ScheduledWork(
                    synchronise: synchronise,
                    reconcile: { options in
                        try await Reconciler(
                            client: client, mirror: mirror, options: options, process: process, random: { 0.5 }
                        ).run()
                    }, checkHealth: { await watch.check() }, heal: { try await healer.heal() }),
                random: random, logger: silent)
            return try await body(
                Serving(rig: rig, client: client, processor: processor, scheduler: scheduler, healer: healer))
        }
    }

    /// Lets time pass, in which a server shows all the time that it runs, and looks every quarter of an hour.
    func pass(seconds: Int) async throws {
        for _ in 0..<seconds / 900 {
            for _ in 0..<20 {
                rig.control.advanceClock(by: .seconds(45))
                _ = try await rig.mirror.noteUptime(tolerance: 90_000_000)
            }
            await scheduler.runDue()
        }
    }
}
