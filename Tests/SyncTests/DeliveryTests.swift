import Database
import Foundation
import Logging
import Mirror
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@testable import Sync

@Suite("Deliveries that cannot be processed")
struct DeliveryTests {
    /// A processor whose pauses are without jitter.
    private func processor(_ rig: Rig, _ client: ZohoBooksClient) -> DeliveryProcessor {
        DeliveryProcessor(
            mirror: rig.mirror, client: client, holder: "test:1", random: { 0 },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private func mark(_ rig: Rig, _ id: String, _ kind: InboxEntry.Kind = .mark, of entity: String = "products")
        async throws
    {
        _ = try await rig.mirror.store([
            NewDelivery(
                entity: entity, content: .readable(kind, zohoID: id, record: nil), receivedAt: rig.mirror.now(),
                requestID: "r-1")
        ])
        rig.control.advanceClock(by: .seconds(4))
    }

    @Test("pauses grow fourfold, and jitter only lengthens them")
    func pauses() {
        #expect((1...4).map { Backoff.pause(after: $0, random: 0) } == [10, 40, 160, 640].map { $0 * 1_000_000 })
        #expect(Backoff.pause(after: 1, random: 0.5) == 12_500_000)
        #expect(Backoff.pause(after: .max, random: 0) > 0)
    }

    @Test("A record that Zoho fails to give is tried five times and is then a dead letter", arguments: Engine.allCases)
    func fiveAttempts(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.faults = [.internalError: 1]
        } _: { rig in
            let id = rig.control.id(.items, at: 0)
            try await rig.withClient { client in
                let worker = ReadingWorker(processor: processor(rig, client), name: "w")
                try await mark(rig, id)
                for attempt in 1...5 {
                    try await worker.drain(WorkerPulse(rig.mirror, worker: "w", holder: "test:1"))
                    if attempt < 5 {
                        #expect(try await rig.value("select attempts from sync_inbox") == "\(attempt)")
                        #expect(try await rig.value("select last_error from sync_inbox") != nil)
                        // Not before its time.
                        let calls = rig.control.statistics.calls
                        try await worker.drain(WorkerPulse(rig.mirror, worker: "w", holder: "test:1"))
                        #expect(rig.control.statistics.calls == calls)
                    }
                    rig.control.advanceClock(by: .microseconds(Backoff.pause(after: attempt, random: 0)))
                }
            }
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
            let letter = try #require(try await rig.mirror.deadLetters().first)
            #expect(letter.form == .mark)
            #expect(letter.zohoID == id)
            #expect(letter.requestID == "r-1")
        }
    }

    @Test("The end of the day's calls is no attempt; the marks wait until calls return", arguments: Engine.allCases)
    func quota(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.limits.callsPerDay = 1
        } _: { rig in
            try await rig.withClient { client in
                let worker = ReadingWorker(processor: processor(rig, client), name: "w")
                try await mark(rig, rig.control.id(.invoices, at: 0), of: "invoices")
                try await mark(rig, rig.control.id(.invoices, at: 1), of: "invoices")
                try await worker.drain(WorkerPulse(rig.mirror, worker: "w", holder: "test:1"))
                #expect(try await rig.value("select count(*) from invoices") == "1")
                #expect(try await rig.value("select attempts from sync_inbox") == "0")
                rig.control.advanceClock(by: .seconds(86_400))
                try await worker.drain(WorkerPulse(rig.mirror, worker: "w", holder: "test:1"))
                #expect(try await rig.value("select count(*) from invoices") == "2")
                #expect(try await rig.value("select count(*) from sync_inbox") == "0")
            }
        }
    }

    @Test("A database that fails for a moment costs a record an attempt, not its life", arguments: Engine.allCases)
    func passingFault(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.withClient { client in
                let worker = RecordWorker(processor: processor(rig, client), name: "w")
                let id = rig.control.id(.items, at: 0)
                let record = try #require(rig.control.record(.items, id: id))
                _ = try await rig.mirror.store([
                    NewDelivery(
                        entity: "products",
                        content: .readable(.record, zohoID: id, record: RawJSON(record[...])),
                        receivedAt: rig.mirror.now(), requestID: nil)
                ])
                try await rig.mirror.database.write { try $0.script("alter table products rename to elsewhere") }
                try await worker.drain(WorkerPulse(rig.mirror, worker: "w", holder: "test:1"))
                #expect(try await rig.value("select attempts from sync_inbox") == "1")
                try await rig.mirror.database.write { try $0.script("alter table elsewhere rename to products") }
                rig.control.advanceClock(by: .seconds(11))
                try await worker.drain(WorkerPulse(rig.mirror, worker: "w", holder: "test:1"))
                #expect(try await rig.value("select zoho_item_id from products") == id)
                #expect(try await rig.value("select count(*) from sync_inbox") == "0")
            }
        }
    }

    @Test(
        "What is stored at once is stored by few commits, and each request hears of its own", arguments: Engine.allCases
    )
    func grouping(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let writer = InboxWriter(rig.mirror)
            let time = rig.mirror.now()
            let ids = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for number in 0..<200 {
                    group.addTask {
                        try await writer.store(
                            (0...(number % 2)).map { _ in
                                NewDelivery(
                                    entity: "bills", content: .readable(.record, zohoID: "\(number)", record: nil),
                                    receivedAt: time, requestID: nil)
                            })
                    }
                }
                let running = Task { try await writer.run() }
                let ids = try await group.reduce(into: [[Int64]]()) { $0.append($1) }
                running.cancel()
                try await running.value
                return ids
            }
            #expect(ids.map(\.count).filter { $0 == 2 }.count == 100)
            #expect(Set(ids.flatMap(\.self)).count == 300)
            #expect(try await rig.value("select count(*) from sync_inbox") == "300")
            await #expect(throws: InboxFull.self) { try await writer.store([]) }
        }
    }
}
