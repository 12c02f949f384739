import Catalog
import Database
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("Order and repetition")
struct OrderTests {
    /// Something that Zoho said of one invoice at one time.
    private struct Saying {
        let record: SampleRecord
        let shape: RecordShape
        let observed: Int64
    }

    @Test(
        "Any order and any repetition of what Zoho said ends in the same rows and children",
        arguments: Engine.allCases, 0..<6)
    func anyOrder(engine: Engine, seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let sayings = (0..<8).map { step in
            let second = step / 2
            let base = SampleRecord.invoice(9, lines: 1 + step % 3)
                .with(["notes": "\"state \(step)\"", "balance": "\(100 - step)", "total": "100.1"])
                .modified(second)
            return Saying(record: base, shape: .detail, observed: Int64(step) * 1_000_000)
        }
        let inOrder = try await Self.replay(sayings, engine)
        let shuffled = (sayings + sayings + sayings.suffix(3)).shuffled(using: &random)
        #expect(try await Self.replay(shuffled, engine) == inOrder)
        #expect(inOrder.first?.contains("notes=state 7") == true)
    }

    @Test("Lists between the details change nothing about the end", arguments: Engine.allCases, 0..<4)
    func withLists(engine: Engine, seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var sayings: [Saying] = []
        for step in 0..<6 {
            let balance = ["balance": "\(100 - step)"]
            sayings.append(
                Saying(
                    record: SampleRecord.invoice(9, lines: 2).with(balance).modified(step), shape: .detail,
                    observed: Int64(step) * 10_000_000))
            sayings.append(
                Saying(
                    record: SampleRecord.invoiceSummary(9).with(balance).modified(step), shape: .list,
                    observed: Int64(step) * 10_000_000 + 5_000_000))
        }
        // What the lists leave outstanding is read again at the end.
        let last = Saying(
            record: SampleRecord.invoice(9, lines: 2).with(["balance": "95"]).modified(5), shape: .detail,
            observed: 100_000_000)
        let inOrder = try await Self.replay(sayings + [last], engine)
        #expect(try await Self.replay(sayings.shuffled(using: &random) + [last], engine) == inOrder)
        #expect(inOrder.first?.contains("balance=95") == true)
    }

    @Test("A list that shows nothing new neither locks nor writes a row")
    func untouched() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            let records = (1...3).map { SampleRecord.product($0) }
            for _ in 0..<2 {
                time.advance(by: 60)
                let run = try await mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "a")
                try await mirror.apply(records, at: time, origin: .run(run.id))
                try await mirror.finish(run, .completed)
            }
            // A lock would leave its transaction in the row.
            #expect(try await mirror.text("select count(*) from products where xmax = 0") == "3")
        }
    }

    @Test("A row that another transaction changes after the first look is looked at again")
    func changedMeanwhile() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            try await mirror.apply([.product(1)], at: time)
            let run = try await mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "a")
            let (changes, changed) = AsyncStream.makeStream(of: Void.self)
            async let other: Void = mirror.database.write { transaction in
                try transaction.script("update products set name = 'newest', zoho_modified_at = '2999-01-01Z'")
                changed.yield()
                // Commits once somebody waits for the row.
                try transaction.script(
                    """
                    do $$ begin
                        while not exists (
                            select 1 from pg_locks where not granted and transactionid = pg_current_xact_id()::xid)
                        loop perform pg_sleep(0.005); end loop;
                    end $$
                    """)
            }
            for await _ in changes { break }
            let older = SampleRecord.product(1).with(["name": "\"list\""]).modified(60)
            let result = try await mirror.apply([older], at: time, origin: .run(run.id))
            try await other
            #expect(result.counts == [.stale: 1])
            #expect(try await mirror.text("select name from products where zoho_item_id = '1'") == "newest")
        }
    }

    private static func replay(_ sayings: [Saying], _ engine: Engine) async throws -> [String] {
        let time = ManualTime()
        return try await withMirror(engine, time: time) { mirror in
            for saying in sayings {
                try await mirror.apply(
                    [saying.record], saying.shape, of: "invoices", at: ManualTime(time.now + saying.observed))
            }
            // Which of the equal sayings is kept as text may differ; what is mapped may not.
            return try await mirror.contents(of: "invoices").map { line in
                line.replacing(#/zoho_data=.*/#, with: "")
            }
        }
    }
}
