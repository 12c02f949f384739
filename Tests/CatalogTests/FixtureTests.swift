import Catalog
import Testing
import ZohoBooks

@Suite("Fixtures")
struct FixtureTests {
    @Test("every fixture maps without faults to exactly the expected columns and child rows", arguments: Fixture.all)
    func mapsAsExpected(fixture: Fixture) throws {
        let records = try fixture.records()
        #expect(!records.isEmpty)
        #expect(records.flatMap(\.record.faults) == [])
        // A webhook delivers the detail record in other clothes.
        let expected = fixture.variant == "webhook" ? Fixture(entity: fixture.entity, variant: "detail") : fixture
        let rows = records.map(\.description).joined(separator: "\n")
        #expect(rows == String(decoding: try expected.contents("rows"), as: UTF8.self))
    }

    @Test("every entity has a list and a detail fixture", arguments: Catalog.entities.map(\.entity.name))
    func isComplete(entity: String) {
        let variants = Fixture.all.filter { $0.entity == entity }.map(\.variant)
        #expect(Set(variants).isSuperset(of: ["list", "detail"]), "add Fixtures/\(entity).list.json and .detail.json")
    }

    @Test("every child table of every entity is filled by a fixture")
    func childrenAreFilled() throws {
        let filled = try Fixture.all.flatMap { try $0.records() }.flatMap { mapped in
            zip(mapped.mapping.children, mapped.record.children).filter { $1?.isEmpty == false }.map(\.0.child.table)
        }
        let tables = Catalog.entities.flatMap { $0.children.map(\.child.table) }
        #expect(Set(tables).subtracting(filled) == [])
    }

    @Test("a list record never speaks of child rows or of columns that only details have")
    func listsAreSummaries() throws {
        for fixture in Fixture.all where fixture.shape == .list {
            for mapped in try fixture.records() {
                #expect(mapped.record.children.allSatisfy { $0 == nil })
                for (column, cell) in zip(mapped.mapping.columns, mapped.record.cells) where column.presence == .detail
                {
                    #expect(cell == nil, "\(column.column)")
                }
            }
        }
    }

    @Test("a detail record speaks of every child table and of every column that only details settle")
    func detailsAreComplete() throws {
        for fixture in Fixture.all where fixture.shape == .detail {
            for mapped in try fixture.records() {
                #expect(mapped.record.children.allSatisfy { $0 != nil })
                #expect(mapped.record.unsaid.allSatisfy { $0.isEmpty })
                for (column, cell) in zip(mapped.mapping.columns, mapped.record.cells)
                where column.presence == .detail || column.presence == .preview {
                    #expect(cell != nil, "\(column.column)")
                }
            }
        }
    }

    @Test("a record keeps its bytes as Zoho sent them and the time at which Zoho said it")
    func keepsRaw() throws {
        let json = #"{ "item_id":"7",  "name" : "\u00e9" }"#
        let record = try #require(Catalog.entity(named: "products")).rows(
            of: RawJSON(json), shape: .list, observedAt: 42)
        #expect(record.raw.description == json)
        #expect(record.observedAt == 42)
        #expect(record.shape == .list)
    }

    @Test("columns that are left out are not said, and nothing else changes")
    func leavingOut() throws {
        let mapped = try Fixture(entity: "products", variant: "list").record()
        let less = mapped.record.leavingOut { mapped.mapping.columns[$0].column.hasPrefix("image_") }
        for (column, (before, after)) in zip(mapped.mapping.columns, zip(mapped.record.cells, less.cells)) {
            #expect(after == (column.column.hasPrefix("image_") ? nil : before))
        }
        #expect(less.id == mapped.record.id && less.raw == mapped.record.raw)
    }
}
