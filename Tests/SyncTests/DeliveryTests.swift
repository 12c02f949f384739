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
            mirror: rig.mirror, client: client, process: "test:1", random: { 0 },
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
                    try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
                    if attempt < 5 {
                        #expect(try await rig.value("select attempts from sync_inbox") == "\(attempt)")
                        #expect(try await rig.value("select last_error from sync_inbox") != nil)
                        // Not before its time.
                        let calls = rig.control.statistics.calls
                        try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
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
                try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
                #expect(try await rig.value("select count(*) from invoices") == "1")
                #expect(try await rig.value("select attempts from sync_inbox") == "0")
                rig.control.advanceClock(by: .seconds(86_400))
                try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
                #expect(try await rig.value("select count(*) from invoices") == "2")
                #expect(try await rig.value("select count(*) from sync_inbox") == "0")
            }
        }
    }

    @Test("Stock is read while deletions wait for their calls, and is read once", arguments: Engine.allCases)
    func pace(engine: Engine) async throws {
        var limits = BudgetLimits()
        limits.callsPerMinute = nil
        try await Rig.with(engine, limits: limits) {
            $0.counts[.invoices] = 70
        } _: { rig in
            try await rig.withClient { client in
                let worker = ReadingWorker(processor: processor(rig, client), name: "w")
                for index in 0..<70 {
                    try await mark(rig, rig.control.id(.invoices, at: index), .deletion, of: "invoices")
                }
                try await mark(rig, rig.control.id(.items, at: 0))
                let (began, calls) = (rig.control.now, rig.control.statistics.calls)
                try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
                // Who waits for the minute's end moves the clock there.
                #expect(rig.control.now.timeIntervalSince(began) < 59, "nobody waited")
                #expect(rig.control.statistics.calls == calls + 51)
                #expect(try await rig.value("select count(*) from products") == "1")
                #expect(
                    try await rig.rows("select count(*), max(attempts), max(claimed_by) from sync_inbox")
                        == [["20", "0", nil]])
                // What comes meanwhile waits for none of them either.
                try await mark(rig, rig.control.id(.items, at: 1))
                try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
                #expect(try await rig.value("select count(*) from products") == "2")
                rig.control.advanceClock(by: .seconds(61))
                try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
                #expect(try await rig.value("select count(*) from sync_inbox") == "0")
            }
        }
    }

    @Test("Items that a call does not know are asked for one by one, as the budget allows", arguments: Engine.allCases)
    func unknownItems(engine: Engine) async throws {
        var limits = BudgetLimits()
        limits.detailCallsPerMinute = 20
        try await Rig.with(engine, limits: limits) { rig in
            try await rig.withClient { client in
                let worker = ReadingWorker(processor: processor(rig, client), name: "w")
                for number in 0..<30 { try await mark(rig, "999\(number)") }
                try await mark(rig, rig.control.id(.items, at: 0))
                let calls = rig.control.statistics.calls
                try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
                #expect(try await rig.value("select count(*) from products") == "1")
                #expect(try await rig.value("select count(*) from sync_inbox") == "10")
                rig.control.advanceClock(by: .seconds(61))
                try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
                #expect(try await rig.value("select count(*) from sync_inbox") == "0")
                #expect(rig.control.statistics.calls == calls + 32)
            }
        }
    }

    @Test("What becomes a dead letter is told, with its request and the reason", arguments: Engine.allCases)
    func told(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let recorder = LogRecorder()
            let bodies = [
                ("7", #"{"item_id":"7","name":"Oak","rate":"x"}"#), ("8", #"{"item_id":"8","name":"Elm"}"#),
                ("9", #"{"item_id":"9","name":"Ash","tax_percentage":"much"}"#),
            ]
            for (id, body) in bodies {
                _ = try await rig.mirror.store([
                    NewDelivery(
                        entity: "products", content: .readable(.record, zohoID: id, record: RawJSON(body)),
                        receivedAt: rig.mirror.now(), requestID: "request-\(id)")
                ])
            }
            try await rig.withClient { client in
                let processor = DeliveryProcessor(
                    mirror: rig.mirror, client: client, process: "test:1", random: { 0 }, logger: recorder.logger)
                try await RecordWorker(processor: processor, name: "w").drain(
                    WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
            }
            let letter = try #require(try await rig.mirror.deadLetters().first)
            let warning = try #require(recorder.lines.first { $0.contains("became a dead letter") })
            #expect(warning.hasPrefix("warning"))
            for text in ["request-7", "\"dead_letter\": \(letter.id)", "unit_price", "is not a decimal number"] {
                #expect(warning.contains(text), "\(text) in \(warning)")
            }
            let processed = recorder.lines.filter { $0.contains("Delivery processed") }
            for (id, outcome) in [("7", "failed"), ("8", "inserted"), ("9", "inserted")] {
                #expect(processed.contains { $0.contains("request-\(id)") && $0.contains("\"outcome\": \(outcome)") })
            }
            let notice = try #require(recorder.lines.first { $0.contains("could not be read and was left out") })
            #expect(notice.contains("request-9") && notice.contains("tax_percentage"))
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
                try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
                #expect(try await rig.value("select attempts from sync_inbox") == "1")
                try await rig.mirror.database.write { try $0.script("alter table elsewhere rename to products") }
                rig.control.advanceClock(by: .seconds(11))
                try await worker.drain(WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1"))
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
