import Catalog
import Database
import TestSupport
import Testing

@testable import Mirror

@Suite("Rows that need a detail record")
struct DueTests {
    @Test("They are found by their index, without reading the whole table", arguments: Engine.allCases)
    func index(engine: Engine) async throws {
        try await withMirror(engine, time: ManualTime()) { mirror in
            let products = try #require(Catalog.entity(named: "products"))
            let (sql, values) = mirror.dueStatement(of: products, before: nil, where: DueFilter(), limit: 10)
            let plan = try await mirror.database.write { transaction in
                // An empty table is otherwise read as a whole.
                if engine == .postgres { try transaction.script("set local enable_seqscan = off") }
                let explain = engine == .sqlite ? "explain query plan" : "explain"
                return try transaction.query("\(explain) \(sql)", values).map { row in
                    (0..<row.values.count).compactMap { row.text($0) }.joined()
                }.joined(separator: "\n")
            }
            #expect(plan.contains("products_detail_due"), "\(plan)")
        }
    }

    @Test(
        "What Zoho's own answer could not be applied for is not asked for again at once; a delivery's body says nothing"
    )
    func refused() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            let products = try #require(Catalog.entity(named: "products"))
            func due() async throws -> [String] {
                try await mirror.dueDetails(of: products, before: nil, limit: 9, excluding: [])
            }
            try await mirror.apply([.product(1)], at: time)
            try await mirror.database.write {
                try $0.script("alter table products add constraint good check (description <> 'bad')")
            }
            let bad = SampleRecord.product(1).with(["description": "\"bad\""])
            let delivery = Origin.deliveries(["1": DeliveryReference(id: 1, requestID: nil)])
            #expect(try await mirror.apply([bad], .detail, at: time, origin: delivery).counts == [.failed: 1])
            #expect(try await due() == ["1"])
            #expect(try await mirror.apply([bad], .detail, at: time).counts == [.failed: 1])
            #expect(try await due() == [])
            time.advance(by: 86_401)
            #expect(try await due() == ["1"])
        }
    }
}
