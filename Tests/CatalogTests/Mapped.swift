import Catalog
import Testing
import ZohoBooks

/// A mapped record whose columns and child rows are asked for by name.
struct Mapped {
    let mapping: EntityMapping
    let record: MappedRecord

    /// Maps JSON text as a record of the entity of that name.
    init(_ json: String, as entity: String = "products", shape: RecordShape = .detail) throws {
        try self.init(RawJSON(json), as: entity, shape: shape)
    }

    init(_ raw: RawJSON, as entity: String, shape: RecordShape) throws {
        mapping = try #require(Catalog.entity(named: entity))
        record = try mapping.rows(of: raw, shape: shape, observedAt: 0)
    }

    /// What the record says for a column; nil where it says nothing.
    subscript(column: String) -> FieldValue? {
        mapping.columns.firstIndex { $0.column == column }.flatMap { record.cells[$0] }
    }

    /// The rows for a child table, each as its cells by name without the blank ones; nil where the set is not known.
    func rows(_ table: String) -> [(key: String, cells: [String: FieldValue])]? {
        guard let position = mapping.children.firstIndex(where: { $0.child.table == table }) else { return nil }
        let columns = mapping.children[position].columns
        return record.children[position].map { rows in
            rows.map { row in
                let cells = zip(columns, row.cells).filter { $1 != .null }.map { ($0.column, $1) }
                return (row.key, Dictionary(uniqueKeysWithValues: cells))
            }
        }
    }

    /// The values that could not be read; that a bare record lacks the source of a child table is another matter.
    var unreadable: [FieldFault] {
        let tables = Set(mapping.children.map(\.child.table))
        return record.faults.filter { !tables.contains($0.field) }
    }

    var fingerprint: Fingerprint {
        mapping.fingerprint(
            record.cells, children: mapping.fingerprint(children: record.children.map { $0 ?? [] }))
    }

    /// The fingerprint over what this record and another one both speak of.
    func fingerprint(sharedWith other: Mapped) -> Fingerprint {
        mapping.fingerprint(zip(record.cells, other.record.cells).map { $1 == nil ? nil : $0 }, children: 0)
    }
}

/// The error of mapping JSON text, which has to fail.
func mappingError(_ json: String, as entity: String = "products", shape: RecordShape = .detail) -> MappingError? {
    #expect(throws: MappingError.self, "\(json)") { try Mapped(json, as: entity, shape: shape) }
}

/// What one JSON value reads as; nil where it is not of the kind.
func read(_ json: String, _ reading: (JSONView) -> FieldValue?) throws -> FieldValue? {
    try RawJSON(json).read(reading)
}
