import Catalog
import Database
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("The inbox")
struct InboxTests {
    private static func record(_ record: SampleRecord, id: String, at time: ManualTime) -> NewDelivery {
        NewDelivery(
            entity: "products", content: .readable(.record, zohoID: id, record: record.json), receivedAt: time.now,
            requestID: "r-\(id)")
    }

    @Test("What is stored is claimed once, and comes back when the claim ends", arguments: Engine.allCases)
    func claims(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let ids = try await mirror.store((1...5).map { Self.record(.product($0), id: "\($0)", at: time) })
            #expect(Set(ids).count == 5)
            let first = try await mirror.claim([.record], limit: 3, holder: "a", lease: 60)
            #expect(first.map(\.zohoID) == ["1", "2", "3"])
            #expect(first.first?.requestID == "r-1")
            #expect(try await mirror.claim([.record], limit: 10, holder: "b", lease: 60).map(\.zohoID) == ["4", "5"])
            #expect(try await mirror.claim([.record], limit: 10, holder: "c", lease: 60).isEmpty)
            time.advance(by: 30)
            try await mirror.renewClaim(on: first, holder: "a", lease: 60)
            time.advance(by: 31)
            let back = try await mirror.claim([.record], limit: 10, holder: "c", lease: 60)
            #expect(back.map(\.zohoID) == ["4", "5"])
            // Whoever had it said nothing, which is no attempt.
            #expect(back.allSatisfy { $0.failures == 0 && $0.deaths == 1 })
            #expect(try await mirror.inboxDepth().count == 5)
        }
    }

    @Test("A claim ends at a number of bytes", arguments: Engine.allCases)
    func claimedBytes(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            let record = RawJSON("\"\(String(repeating: "x", count: 900_000))\"")
            _ = try await mirror.store(
                (10..<21).map {
                    NewDelivery(
                        entity: "products", content: .readable(.record, zohoID: "\($0)", record: record), receivedAt: 0,
                        requestID: nil)
                } + [
                    NewDelivery(
                        entity: "products", content: .readable(.mark, zohoID: "7", record: nil), receivedAt: 0,
                        requestID: nil)
                ])
            let kinds: [InboxEntry.Kind] = [.record, .mark]
            #expect(try await mirror.claim(kinds, limit: 400, holder: "a", lease: 60).count == 10)
            #expect(try await mirror.claim(kinds, limit: 400, holder: "b", lease: 60).count == 2)
        }
    }

    @Test("What a dead worker has claimed comes back at once where its end is known", arguments: Engine.allCases)
    func deadWorkers(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            _ = try await mirror.store((1...2).map { Self.record(.product($0), id: "\($0)", at: time) })
            _ = try await mirror.claim([.record], limit: 1, holder: "dead#1", lease: 60)
            _ = try await mirror.claim([.record], limit: 1, holder: "alive#1", lease: 60)
            #expect(try await mirror.releaseClaims { $0 == "dead" } == 1)
            let back = try await mirror.claim([.record], limit: 9, holder: "b", lease: 60)
            #expect(back.map(\.zohoID) == ["1"])
            #expect(back.map(\.failures) == [0])
        }
    }

    @Test(
        "What three processes died of is claimed by itself; whoever gives it back is not counted",
        arguments: Engine.allCases)
    func deaths(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            _ = try await mirror.store((1...2).map { Self.record(.product($0), id: "\($0)", at: time) })
            for death in 0..<3 {
                let claimed = try await mirror.claim([.record], limit: 9, holder: "dead#\(death)", lease: 60)
                #expect(claimed.map(\.deaths) == [death, death])
                try await mirror.releaseClaims { $0 == "dead" }
            }
            #expect(try await mirror.claim([.record], limit: 9, holder: "a", lease: 60).isEmpty)
            let suspect = try await mirror.claimSuspect([.record], holder: "a", lease: 60)
            #expect(suspect.map(\.zohoID) == ["1"])
            #expect(suspect.map(\.deaths) == [3])
            #expect(try await mirror.claimSuspect([.record], holder: "a", lease: 60).map(\.zohoID) == ["2"])
            #expect(try await mirror.claimSuspect([.record], holder: "a", lease: 60).isEmpty)
            try await mirror.postpone(suspect, until: time.now, error: nil, countsAttempt: false, holder: "a")
            #expect(try await mirror.claim([.record], limit: 9, holder: "a", lease: 60).map(\.deaths) == [0])
        }
    }

    @Test("Who comes too late changes nothing about what somebody else has claimed since", arguments: Engine.allCases)
    func lateWorkers(engine: Engine) async throws {
        let time = ManualTime()
        let products = try #require(Catalog.entity(named: "products"))
        try await withMirror(engine, time: time) { mirror in
            _ = try await mirror.store((1...2).map { Self.record(.product($0), id: "\($0)", at: time) })
            let late = try await mirror.claim([.record], limit: 9, holder: "late", lease: 60)
            time.advance(by: 61)
            let first = try await mirror.claim([.record], limit: 1, holder: "a", lease: 60)
            #expect(first.map(\.zohoID) == ["1"])
            try await mirror.giveUp(late, reason: "five attempts")
            #expect(try await mirror.deadLetters().map(\.zohoID) == ["2"])
            #expect(try await mirror.inboxDepth().count == 1)
            #expect(try await mirror.apply(late, of: products).counts.isEmpty)
            #expect(try await mirror.text("select count(*) from products") == "0")
            #expect(try await mirror.apply(first, of: products).counts == [.inserted: 1])
            #expect(try await mirror.inboxDepth().count == 0)
        }
    }

    @Test("Entries are claimed by kind", arguments: Engine.allCases)
    func kinds(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            _ = try await mirror.store(
                [InboxEntry.Kind.mark, .deletion, .record].map { kind in
                    NewDelivery(
                        entity: "products", content: .readable(kind, zohoID: kind.rawValue, record: nil),
                        receivedAt: time.now, requestID: nil)
                })
            #expect(try await mirror.claim([.record], limit: 9, holder: "a", lease: 9).map(\.kind) == [.record])
            // Marks wait for others.
            #expect(try await mirror.claim([.mark], limit: 9, holder: "a", lease: 9).isEmpty)
            time.advance(by: 4)
            #expect(
                try await mirror.claim([.mark, .deletion], limit: 9, holder: "a", lease: 9).map(\.kind)
                    == [.mark, .deletion])
        }
    }

    @Test("Side by side, workers never get the same entry")
    func sideBySide() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            _ = try await mirror.store((1...300).map { Self.record(.product($0), id: "\($0)", at: time) })
            let claimed = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for worker in 0..<6 {
                    group.addTask {
                        var mine: [Int64] = []
                        while true {
                            let entries = try await mirror.claim(
                                [.record], limit: 7, holder: "\(worker)", lease: 60)
                            if entries.isEmpty { return mine }
                            mine += entries.map(\.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.count == 300)
            #expect(Set(claimed).count == 300)
        }
    }

    @Test("What is postponed is not due before its time; only an attempt counts", arguments: Engine.allCases)
    func postponing(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            _ = try await mirror.store([Self.record(.product(1), id: "1", at: time)])
            let claimed = try await mirror.claim([.record], limit: 1, holder: "a", lease: 60)
            try await mirror.postpone(
                claimed, until: time.now + 5_000_000, error: "why", countsAttempt: true, holder: "a")
            #expect(try await mirror.claim([.record], limit: 1, holder: "a", lease: 60).isEmpty)
            time.advance(by: 6)
            let again = try await mirror.claim([.record], limit: 1, holder: "a", lease: 60)
            #expect(again.map(\.failures) == [1])
            try await mirror.postpone(again, until: time.now, error: nil, countsAttempt: false, holder: "a")
            #expect(try await mirror.claim([.record], limit: 1, holder: "b", lease: 60).map(\.failures) == [1])
            #expect(try await mirror.text("select last_error from sync_inbox") == "why")
            // Somebody else has it by now.
            try await mirror.postpone(again, until: time.now, error: nil, countsAttempt: false, holder: "a")
            #expect(try await mirror.text("select claimed_by from sync_inbox") == "b")
        }
    }

    @Test(
        "Deliveries are applied and leave the inbox together; the change names its delivery", arguments: Engine.allCases
    )
    func applying(engine: Engine) async throws {
        let time = ManualTime()
        let products = try #require(Catalog.entity(named: "products"))
        try await withMirror(engine, time: time) { mirror in
            let ids = try await mirror.store([
                Self.record(.product(1), id: "1", at: time),
                Self.record(.product(2).with(["rate": "\"free\""]), id: "2", at: time),
            ])
            let claimed = try await mirror.claim([.record], limit: 9, holder: "a", lease: 60)
            let result = try await mirror.apply(claimed, of: products)
            #expect(result[.inserted] == 1)
            #expect(result[.failed] == 1)
            #expect(try await mirror.inboxDepth().count == 0)
            try #require(ids.count == 2)
            #expect(
                try await mirror.texts("select delivery_id, request_id from sync_changes") == [[String(ids[0]), "r-1"]])
            #expect(try await mirror.changes(after: 0, limit: 1).map(\.requestID) == ["r-1"])
            let letter = try #require(try await mirror.deadLetters().first)
            #expect(letter.zohoID == "2")
            #expect(letter.requestID == "r-2")
            #expect(try await mirror.text("select delivery_id from sync_dead_letters") == String(ids[1]))
        }
    }

    @Test("Deliveries of one record collapse into the newest, whatever their order", arguments: Engine.allCases)
    func collapsing(engine: Engine) async throws {
        let time = ManualTime()
        let products = try #require(Catalog.entity(named: "products"))
        try await withMirror(engine, time: time) { mirror in
            // A, B, A: the last one is A again, and comes before B.
            for (second, price) in [(1, "10"), (3, "10"), (2, "20")] {
                time.advance(by: 0.1)
                let record = SampleRecord.product(1).with(["rate": price]).modified(second)
                _ = try await mirror.store([Self.record(record, id: "1", at: time)])
            }
            let claimed = try await mirror.claim([.record], limit: 9, holder: "a", lease: 60)
            let result = try await mirror.apply(claimed, of: products)
            #expect(result.counts == [.inserted: 1, .unchanged: 2])
            #expect(result.contested.isEmpty)
            #expect(try await mirror.text("select unit_price from products") == "10")
            #expect(try await mirror.text("select count(*) from sync_changes") == "1")
        }
    }

    @Test(
        "Where two deliveries of one second differ, the later one counts and the record is marked to be read again",
        arguments: Engine.allCases, [true, false])
    func contested(engine: Engine, inOneBatch: Bool) async throws {
        let time = ManualTime()
        let products = try #require(Catalog.entity(named: "products"))
        try await withMirror(engine, time: time) { mirror in
            let claimAndApply = {
                let claimed = try await mirror.claim([.record], limit: 9, holder: "a", lease: 60)
                return try await mirror.apply(claimed, of: products)
            }
            _ = try await mirror.store([Self.record(.product(1), id: "1", at: time)])
            if !inOneBatch { _ = try await claimAndApply() }
            time.advance(by: 1)
            _ = try await mirror.store([Self.record(.product(1).with(["stock_on_hand": "3"]), id: "1", at: time)])
            let result = try await claimAndApply()
            #expect(result.contested == ["1"])
            #expect(try await mirror.text("select stock_quantity from products") == "3")
            #expect(try await mirror.claim([.mark], limit: 9, holder: "a", lease: 60).isEmpty)
            time.advance(by: 4)
            #expect(try await mirror.claim([.mark], limit: 9, holder: "a", lease: 60).map(\.zohoID) == ["1"])
        }
    }

    @Test(
        "The same delivery twice, and a second stock change long after the first, contest nothing",
        arguments: Engine.allCases)
    func uncontested(engine: Engine) async throws {
        let time = ManualTime()
        let customers = try #require(Catalog.entity(named: "customers"))
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.customerSummary(1)], of: "customers", at: time)
            func deliver(_ record: SampleRecord) async throws -> ApplyResult {
                _ = try await mirror.store([
                    NewDelivery(
                        entity: "customers", content: .readable(.record, zohoID: "1", record: record.json),
                        receivedAt: time.now, requestID: nil)
                ])
                let claimed = try await mirror.claim([.record], limit: 9, holder: "a", lease: 60)
                return try await mirror.apply(claimed, of: customers)
            }
            time.advance(by: 1)
            #expect(try await deliver(.customer(1)).contested.isEmpty)
            time.advance(by: 1)
            let repeated = try await deliver(.customer(1))
            #expect(repeated.counts == [.unchanged: 1])
            #expect(repeated.contested.isEmpty)
            time.advance(by: 3_600)
            let later = try await deliver(.customer(1).with(["outstanding_receivable_amount": "5"]))
            #expect(later.counts == [.updated: 1])
            #expect(later.contested.isEmpty)
        }
    }

    @Test(
        "A delivery of the row's own second that came before a run confirmed the row is read again",
        arguments: Engine.allCases)
    func confirmedMeanwhile(engine: Engine) async throws {
        let time = ManualTime()
        let products = try #require(Catalog.entity(named: "products"))
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.product(1)], .detail, at: time)
            time.advance(by: 86_400)
            let other = SampleRecord.product(1).with(["stock_on_hand": "3"])
            _ = try await mirror.store([Self.record(other, id: "1", at: time)])
            time.advance(by: 60)
            let run = try await mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "a")
            #expect(try await mirror.apply([.product(1)], at: time).counts == [.unchanged: 1])
            try await mirror.finish(run, .completed)
            time.advance(by: 60)
            let claimed = try await mirror.claim([.record], limit: 9, holder: "a", lease: 60)
            #expect(try await mirror.apply(claimed, of: products).contested == ["1"])
        }
    }

    @Test("A late delivery does not bring a deleted record back; only reading it does", arguments: Engine.allCases)
    func tombstones(engine: Engine) async throws {
        let time = ManualTime()
        let products = try #require(Catalog.entity(named: "products"))
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply([.product(1)], .detail, at: time)
            time.advance(by: 1)
            try await mirror.markDeleted(["1"], of: products, observedAt: time.now, origin: .run(1))
            time.advance(by: 1)
            _ = try await mirror.store([Self.record(.product(1).modified(5), id: "1", at: time)])
            let claimed = try await mirror.claim([.record], limit: 9, holder: "a", lease: 60)
            let result = try await mirror.apply(claimed, of: products)
            #expect(result.counts == [.stale: 1])
            #expect(result.contested == ["1"])
            #expect(try await mirror.text("select deleted_at from products") != nil)
            time.advance(by: 4)
            let marks = try await mirror.claim([.mark], limit: 9, holder: "a", lease: 60)
            let read = try await mirror.apply(
                Reading(records: [(SampleRecord.product(1).modified(5).json, time.now)], gone: [], goneAt: 0),
                for: marks, of: products)
            #expect(read.outcomes.map(\.result.counts) == [[.restored: 1]])
            #expect(try await mirror.text("select deleted_at from products") == nil)
            #expect(try await mirror.inboxDepth().count == 0)
        }
    }

    @Test(
        "A record that went before the mirror saw it stays gone when its creation comes late",
        arguments: Engine.allCases)
    func goneBeforeSeen(engine: Engine) async throws {
        let time = ManualTime()
        let products = try #require(Catalog.entity(named: "products"))
        try await withMirror(engine, time: time) { mirror in
            _ = try await mirror.store([
                NewDelivery(
                    entity: "products",
                    content: .readable(.deletion, zohoID: "1", record: SampleRecord.product(1).json),
                    receivedAt: time.now, requestID: nil)
            ])
            let deletions = try await mirror.claim([.deletion], limit: 9, holder: "a", lease: 60)
            time.advance(by: 1)
            _ = try await mirror.apply(
                Reading(records: [], gone: ["1"], goneAt: time.now), for: deletions, of: products)
            time.advance(by: 1)
            _ = try await mirror.store([Self.record(.product(1), id: "1", at: time)])
            let late = try await mirror.claim([.record], limit: 9, holder: "a", lease: 60)
            #expect(try await mirror.apply(late, of: products).counts == [.stale: 1])
            #expect(try await mirror.text("select count(*) from products where deleted_at is null") == "0")
        }
    }
}
