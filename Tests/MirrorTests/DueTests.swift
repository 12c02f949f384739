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
}
