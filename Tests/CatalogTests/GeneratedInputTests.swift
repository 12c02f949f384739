import Catalog
import TestSupport
import Testing
import ZohoBooks

@Suite("Generated input")
struct GeneratedInputTests {
    /// Maps bytes in both shapes: either rows come out, with a cell for each column, or a ``MappingError``.
    private func check(
        _ bytes: some Sequence<UInt8>, _ mapping: EntityMapping, _ outcomes: inout (rows: Int, errors: Int)
    ) {
        for shape in [RecordShape.list, .detail] {
            let raw = RawJSON(ArraySlice(bytes))
            do throws(MappingError) {
                let record = try mapping.rows(of: raw, shape: shape, observedAt: 0)
                #expect(!record.id.isEmpty)
                #expect(record.cells.count == mapping.columns.count)
                #expect(record.children.count == mapping.children.count)
                for (child, rows) in zip(mapping.children, record.children) {
                    #expect(rows.map { Set($0.map(\.key)).count == $0.count } ?? true)
                    #expect(rows?.allSatisfy { $0.cells.count == child.columns.count } ?? true)
                }
                let again = try mapping.rows(of: raw, shape: shape, observedAt: 0)
                #expect(again.cells == record.cells)
                #expect(mapping.fingerprint(again.cells, children: 0) == mapping.fingerprint(record.cells, children: 0))
                outcomes.rows += 1
            } catch {
                #expect(!error.description.isEmpty)
                outcomes.errors += 1
            }
        }
        _ = try? mapping.owns(RawJSON(ArraySlice(bytes)))
        _ = mapping.id(of: RawJSON(ArraySlice(bytes)))
    }

    /// The keys that anything is mapped from, and some that nothing is.
    private func keys(of mapping: EntityMapping) -> [String] {
        let entity = mapping.entity
        let ofChildren = entity.children.flatMap { child in
            child.idKeys + child.fields.flatMap(\.keys) + child.sources.map(\.key)
        }
        return entity.idKeys + mapping.columns.flatMap(\.keys) + ofChildren
            + [
                "price_brackets", "custom_field_hash", "cf_x", "cf_x_unformatted", "api_name", "value", "unknown", "",
                "\\u0061",
            ]
    }

    @Test(
        "any object of known keys maps or is refused, and the same bytes always give the same rows",
        arguments: Catalog.entities.map(\.entity.name))
    func objects(entity: String) throws {
        let mapping = try #require(Catalog.entity(named: entity))
        let keys = keys(of: mapping)
        var generator = SeededGenerator(seed: 1)
        var outcomes = (rows: 0, errors: 0)
        for _ in 0..<1_000 {
            var members = [(mapping.entity.idKeys[0], JSONTree.scalar(#""1""#))]
            for _ in 0..<Int.random(in: 0...5, using: &generator) {
                members.append(
                    (keys.randomElement(using: &generator) ?? "", .random(depth: 4, keys: keys, using: &generator)))
            }
            check(JSONTree.object(members.shuffled(using: &generator)).spelling().utf8, mapping, &outcomes)
        }
        #expect(outcomes.rows > 200 && outcomes.errors > 20)
    }

    @Test("a fixture with any of its bytes changed, added or lost maps or is refused", arguments: Fixture.all)
    func mutations(fixture: Fixture) throws {
        let mapped = try fixture.record()
        var generator = SeededGenerator(seed: 2)
        var outcomes = (rows: 0, errors: 0)
        for _ in 0..<150 {
            var bytes = Array(mapped.record.raw.bytes)
            for _ in 0...Int.random(in: 0...2, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: bytes.insert(Array("{}[]\",:\\0e-".utf8).randomElement(using: &generator) ?? 0, at: index)
                default: bytes.removeSubrange(index..<min(bytes.count - 1, index + 5))
                }
            }
            check(bytes, mapped.mapping, &outcomes)
        }
        #expect(outcomes.rows > 0 && outcomes.errors > 0)
    }

    @Test("random bytes are refused")
    func bytes() throws {
        let mapping = try #require(Catalog.entity(named: "customers"))
        var generator = SeededGenerator(seed: 3)
        var outcomes = (rows: 0, errors: 0)
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...64, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            check(bytes, mapping, &outcomes)
            check(Array(#"{"contact_id":""#.utf8) + bytes, mapping, &outcomes)
        }
        #expect(outcomes.rows == 0)
    }
}
