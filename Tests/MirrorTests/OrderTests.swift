import Catalog
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
