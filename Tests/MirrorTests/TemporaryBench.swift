import Catalog
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("Temporary bench")
struct TemporaryBench {
    @Test func updates() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            let filler = String(repeating: "lorem \\\"ipsum\\\" dolor ", count: 80)
            let base = (0..<20_000).map { SampleRecord.product($0).with(["blurb": "\"\(filler)\""]) }
            func pass(_ rate: Int, _ modified: Int) async throws -> Duration {
                var spent = Duration.zero
                for start in stride(from: 0, to: base.count, by: 200) {
                    var batch = Batch(try #require(Catalog.entity(named: "products")), origin: .run(1))
                    for record in base[start..<start + 200] {
                        batch.add(
                            record.with(["rate": "\(rate)"]).modified(modified).json, shape: .list, observedAt: time.now
                        )
                    }
                    let ready = batch
                    let clock = ContinuousClock()
                    let from = clock.now
                    _ = try await mirror.apply(ready)
                    spent += clock.now - from
                }
                return spent
            }
            print("insert", try await pass(1, 0))
            time.advance(by: 60)
            print("update", try await pass(2, 60))
            time.advance(by: 60)
            print("update again", try await pass(3, 120))
            time.advance(by: 60)
            print("unchanged", try await pass(3, 120))
        }
    }
}
