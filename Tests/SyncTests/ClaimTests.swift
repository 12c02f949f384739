import Catalog
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

@Suite("What workers claim")
struct ClaimTests {
    private static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private static func processor(
        _ rig: Rig, _ client: ZohoBooksClient, trustsDeletions: Bool = false, tick: Duration = .seconds(1),
        clock: any Clock<Duration> = ContinuousClock(),
        _ onProcessed: @escaping @Sendable (DeliveryReport) -> Void = { _ in }
    ) -> DeliveryProcessor {
        DeliveryProcessor(
            mirror: rig.mirror, client: client, process: "test:1", trustsDeletions: trustsDeletions, random: { 0 },
            tick: tick, clock: clock, logger: silent, onProcessed: onProcessed)
    }

    private static func store(
        _ kind: InboxEntry.Kind, _ id: String, of entity: String, _ record: RawJSON? = nil, in rig: Rig
    ) async throws {
        _ = try await rig.mirror.store([
            NewDelivery(
                entity: entity, content: .readable(kind, zohoID: id, record: record), receivedAt: rig.mirror.now(),
                requestID: "r-\(id)")
        ])
    }

    private static func drainReadings(_ rig: Rig, _ processor: DeliveryProcessor) async throws {
        rig.control.advanceClock(by: .seconds(4))
        try await ReadingWorker(processor: processor, name: "test:1#reading").drain(heartbeat(rig))
    }

    private static func heartbeat(_ rig: Rig) -> WorkerHeartbeat {
        WorkerHeartbeat(rig.mirror, worker: "w", process: "test:1")
    }

    // MARK: - Readings

    @Test(
        "A contact that is neither customer nor vendor ends as a dead letter, not in a loop", arguments: Engine.allCases
    )
    func unownedRecord(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let id = rig.control.id(.contacts, at: 0)
            try rig.control.edit(.contacts, id: id, ["contact_type": "employee"])
            try await rig.withClient { client in
                try await Self.store(.mark, id, of: "customers", in: rig)
                for _ in 1...5 {
                    try await Self.drainReadings(rig, Self.processor(rig, client))
                    rig.control.advanceClock(by: .seconds(1_000))
                }
            }
            let letter = try #require(try await rig.mirror.deadLetters().first)
            #expect(letter.reason.contains("none of customers, vendors"))
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
        }
    }

    @Test("A deletion is told of once, whichever of two tables held the record", arguments: Engine.allCases)
    func onceTold(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["vendors", "customers"])
            let id = try #require(try await rig.value("select zoho_contact_id from vendors limit 1"))
            try rig.control.delete(.contacts, id: id)
            let reports = Mutex<[DeliveryReport]>([])
            try await rig.withClient { client in
                try await Self.store(.deletion, id, of: "customers", in: rig)
                try await Self.drainReadings(
                    rig, Self.processor(rig, client) { report in reports.withLock { $0.append(report) } })
            }
            let told = reports.withLock { $0 }
            #expect(told.filter { $0.postponed == 0 }.flatMap { $0.lags.values.flatMap(\.self) }.count == 1)
            #expect(told.filter { !$0.outcomes.isEmpty }.map(\.entity) == ["vendors"])
            #expect(told.flatMap { $0.outcomes.map { "\($0.key) \($0.value)" } } == ["deleted 1"])
        }
    }

    @Test(
        "A trusted deletion that an older edit has overtaken is confirmed by a call instead of being dropped",
        arguments: Engine.allCases)
    func overtakenDeletion(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let id = rig.control.id(.bills, at: 0)
            let record = RawJSON(try #require(rig.control.record(.bills, id: id))[...])
            try rig.control.delete(.bills, id: id)
            try await rig.withClient { client in
                let processor = Self.processor(rig, client, trustsDeletions: true)
                try await Self.store(.deletion, id, of: "bills", in: rig)
                rig.control.advanceClock(by: .seconds(1))
                // The edit was made first and comes last.
                try await Self.store(.record, id, of: "bills", record, in: rig)
                try await RecordWorker(processor: processor, name: "test:1#1").drain(Self.heartbeat(rig))
                #expect(try await rig.value("select count(*) from bills where deleted_at is null") == "1")
                try await Self.drainReadings(rig, processor)
            }
            #expect(try await rig.value("select count(*) from bills where deleted_at is null") == "0")
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
        }
    }

    @Test("What is delivered while a reading of the same second is under way stays", arguments: Engine.allCases)
    func readingUnderWay(engine: Engine) async throws {
        let clock = HookClock()
        try await Rig.with(engine) {
            $0.latency = .milliseconds(1)
            $0.clock = clock
        } _: { rig in
            let id = rig.control.id(.invoices, at: 0)
            try rig.control.edit(.invoices, id: id, ["reference_number": "older"])
            try await rig.withClient { client in
                let processor = Self.processor(rig, client)
                try await Self.store(.mark, id, of: "invoices", in: rig)
                rig.control.advanceClock(by: .seconds(4))
                let modifiedAt = try #require(try rig.record(.invoices, id)["last_modified_time"] as? String)
                clock.onNextSleep {
                    // The answer is on its way, and the record changes again within its second.
                    rig.control.advanceClock(by: .milliseconds(1))
                    try rig.control.edit(
                        .invoices, id: id, touching: false,
                        ["reference_number": "newer", "last_modified_time": .init(stringLiteral: modifiedAt)])
                    let newer = RawJSON(try #require(rig.control.record(.invoices, id: id))[...])
                    try await Self.store(.record, id, of: "invoices", newer, in: rig)
                    try await RecordWorker(processor: processor, name: "test:1#1").drain(Self.heartbeat(rig))
                    rig.control.advanceClock(by: .milliseconds(1))
                }
                try await ReadingWorker(processor: processor, name: "test:1#reading").drain(Self.heartbeat(rig))
            }
            #expect(clock.hasRun)
            #expect(try await rig.value("select reference_number from invoices") == "newer")
        }
    }

    // MARK: - Poison

    @Test("One record that PostgreSQL cannot take costs itself alone")
    func poison() async throws {
        try await Rig.with(.postgres) { rig in
            let ids = (0..<5).map { rig.control.id(.invoices, at: $0) }
            for (position, id) in ids.enumerated() {
                var text = String(decoding: try #require(rig.control.record(.invoices, id: id)), as: UTF8.self)
                if position == 2 {
                    // Random, so that it cannot be compressed to what an index takes.
                    var generator = SystemRandomNumberGenerator()
                    let long = (0..<10_000).map { _ in String(Int.random(in: 0...9, using: &generator)) }.joined()
                    text = text.replacing(/"line_item_id":"\d+"/, with: "\"line_item_id\":\"\(long)\"")
                }
                try await Self.store(.record, id, of: "invoices", RawJSON(text), in: rig)
            }
            try await rig.withClient { client in
                let worker = RecordWorker(processor: Self.processor(rig, client), name: "test:1#1")
                for _ in 1...5 {
                    try await worker.drain(Self.heartbeat(rig))
                    #expect(try await rig.value("select count(*) from invoices") == "4")
                    rig.control.advanceClock(by: .seconds(1_000))
                }
            }
            #expect(try await rig.mirror.deadLetters().map(\.zohoID) == [ids[2]])
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
        }
    }

    @Test("What a whole batch cannot do is tried for each record by itself", arguments: Engine.allCases)
    func singly(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let ids = (0..<3).map { rig.control.id(.items, at: $0) }
            for id in ids {
                let record = RawJSON(try #require(rig.control.record(.items, id: id))[...])
                try await Self.store(.record, id, of: "products", record, in: rig)
            }
            // Fails as a mistake of the program does, and for one record only.
            try await rig.mirror.database.write { try $0.breakInserts(of: ids[1]) }
            try await rig.withClient { client in
                let worker = RecordWorker(processor: Self.processor(rig, client), name: "test:1#1")
                try await worker.drain(Self.heartbeat(rig))
            }
            #expect(try await rig.value("select count(*) from products") == "2")
            #expect(try await rig.mirror.deadLetters().map(\.zohoID) == [ids[1]])
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
        }
    }

    @Test("What six processes died of is a dead letter, and the others are worked on", arguments: Engine.allCases)
    func deadly(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let ids = (0..<2).map { rig.control.id(.items, at: $0) }
            for id in ids {
                let record = RawJSON(try #require(rig.control.record(.items, id: id))[...])
                try await Self.store(.record, id, of: "products", record, in: rig)
            }
            try await rig.mirror.database.write {
                _ = try $0.execute("update sync_inbox set deaths = 6 where zoho_id = $1", [.text(ids[0])])
            }
            try await rig.withClient { client in
                let worker = RecordWorker(processor: Self.processor(rig, client), name: "test:1#1")
                try await worker.drain(Self.heartbeat(rig))
            }
            let letter = try #require(try await rig.mirror.deadLetters().first)
            #expect(letter.zohoID == ids[0])
            #expect(letter.reason.contains("6 processes ended"))
            #expect(try await rig.value("select zoho_item_id from products") == ids[1])
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
        }
    }

    // MARK: - Time

    @Test("A claim is kept for as long as its work takes", .timeLimit(.minutes(30)), arguments: Engine.allCases)
    func heartbeat(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let id = rig.control.id(.items, at: 0)
            try await Self.store(.record, id, of: "products", in: rig)
            try await rig.withClient { client in
                let clock = ManualClock()
                let processor = Self.processor(rig, client, clock: clock)
                let claimed = try await rig.mirror.claim([.record], limit: 1, holder: "w", lease: 60)
                try await processor.withClaim(on: claimed, of: "w") { _ in
                    for _ in 1...3 {
                        try await clock.untilAsleep()
                        rig.control.advanceClock(by: .seconds(25))
                        clock.advance(by: .seconds(20))
                        // It sleeps again when it has renewed the claim.
                        try await clock.untilAsleep()
                        rig.control.advanceClock(by: .seconds(15))
                        #expect(try await rig.mirror.claim([.record], limit: 1, holder: "b", lease: 60).isEmpty)
                    }
                }
                rig.control.advanceClock(by: .seconds(61))
                #expect(try await rig.mirror.claim([.record], limit: 1, holder: "b", lease: 60).count == 1)
            }
        }
    }

    @Test(
        "Workers are woken by what is stored, not by their ticks", .timeLimit(.minutes(30)), arguments: Engine.allCases)
    func woken(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.withClient { client in
                let (reports, continuation) = AsyncStream.makeStream(of: DeliveryReport.self)
                let processor = Self.processor(rig, client, tick: .seconds(86_400)) { continuation.yield($0) }
                let running = Task { try await processor.run() }
                var iterator = reports.makeAsyncIterator()
                for index in 0..<3 {
                    let id = rig.control.id(.items, at: index)
                    let record = RawJSON(try #require(rig.control.record(.items, id: id))[...])
                    try await Self.store(.record, id, of: "products", record, in: rig)
                    #expect(await iterator.next()?.outcomes == [.inserted: 1])
                }
                running.cancel()
                try await running.value
            }
        }
    }

    @Test("What waits to be stored is bounded in bytes too")
    func bytes() async throws {
        try await Rig.with(.sqlite) { rig in
            let writer = InboxWriter(rig.mirror, byteCapacity: 1_000)
            let delivery = NewDelivery(
                entity: "bills",
                content: .readable(.record, zohoID: "1", record: RawJSON(String(repeating: "1", count: 600))),
                receivedAt: rig.mirror.now(), requestID: nil)
            try await withThrowingTaskGroup(of: [Int64].self) { group in
                for _ in 0..<2 { group.addTask { try await writer.store([delivery]) } }
                // The other one waits for the writer to begin.
                await #expect(throws: InboxFull.self) { try await group.next() }
                let running = Task { try await writer.run() }
                #expect(try await group.next()?.count == 1)
                #expect(try await writer.store([delivery]).count == 1)
                running.cancel()
                try await running.value
            }
        }
    }
}

/// A clock on which nobody waits, and whose next sleeper first does what a test wants.
private final class HookClock: Clock {
    typealias Instant = ContinuousClock.Instant

    private let hook = Mutex<(@Sendable () async throws -> Void)?>(nil)
    private let ran = Mutex(false)

    var now: Instant { .now }
    var minimumResolution: Duration { .zero }
    var hasRun: Bool { ran.withLock { $0 } }

    func onNextSleep(_ body: @escaping @Sendable () async throws -> Void) { hook.withLock { $0 = body } }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let body = hook.withLock { hook in
            defer { hook = nil }
            return hook
        }
        guard let body else { return }
        try await body()
        ran.withLock { $0 = true }
    }
}

extension SQLTransaction {
    /// Has inserts of one product fail with an error that is no record's own.
    fileprivate func breakInserts(of id: String) throws {
        switch dialect {
        case .postgres:
            try script(
                """
                create function fail() returns trigger language plpgsql as $$ begin
                    if new.zoho_item_id = '\(id)' then raise 'broken' using errcode = '42P01'; end if;
                    return new;
                end $$;
                create trigger fail before insert on products for each row execute function fail();
                """)
        case .sqlite:
            try script(
                """
                create trigger fail before insert on products when new.zoho_item_id = '\(id)'
                begin select json('{'); end;
                """)
        }
    }
}
