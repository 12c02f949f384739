package import ZohoBooks

/// An entity made ready for mapping: its columns in order, and what each key of a record feeds.
package struct EntityMapping: Sendable {
    /// A column of the parent table that is mapped from the record.
    package typealias Column = Field

    /// A child table made ready for mapping.
    package struct ChildMapping: Sendable {
        package let child: Child
        /// The mapped columns, then those whose value follows from the place in the record.
        package let columns: [Field]
        let fixedColumns: [String]
        /// What stands for the table and for each column in a fingerprint.
        let tableID: UInt64
        let columnIDs: [UInt64]
        let index: KeyIndex<(field: Int, rank: Int)>
        let idIndex: KeyIndex<Int>

        /// The position in ``Child/sources`` of the place from which a row comes.
        package func source(of row: ChildRow) -> Int? {
            child.sources.firstIndex { source in
                let fixed = source.fixed
                return fixedColumns.enumerated().allSatisfy { offset, column in
                    row.cells[child.fields.count + offset] == fixed[column].map { .text($0) } ?? .null
                }
            }
        }
    }

    enum Target: Sendable {
        case id(rank: Int)
        case field(Int, rank: Int)
        case child(Int, source: Int)
        case discriminator
        case customFieldHash
    }

    package let entity: Entity
    /// The entity's fields, followed by the columns that every parent table has: `status`, `is_active`,
    /// `zoho_created_at`, `zoho_modified_at`.
    package let columns: [Column]
    package let children: [ChildMapping]
    /// Positions in ``columns`` of the columns that every parent table has.
    package let statusColumn: Int
    package let isActiveColumn: Int
    package let modifiedColumn: Int
    let customFieldsColumn: Int?
    /// What stands for each column in a fingerprint.
    let columnIDs: [UInt64]
    let index: KeyIndex<Target>

    package init(_ entity: Entity) {
        self.entity = entity
        let common: [Field] = [
            .text("status"), .boolean("is_active"), .instant("zoho_created_at", "created_time"),
            .modified("zoho_modified_at", of: entity.module),
        ]
        columns = entity.fields + common
        columnIDs = columns.map { Fingerprint.id(of: $0.column) }
        statusColumn = entity.fields.count
        isActiveColumn = statusColumn + 1
        modifiedColumn = statusColumn + 3
        customFieldsColumn = entity.fields.firstIndex { $0.kind == .customFields }

        children = entity.children.map { child in
            var fixed: [String] = []
            for source in child.sources {
                fixed += source.fixed.keys.filter { !fixed.contains($0) }.sorted()
            }
            let order = child.orderColumn.map { [Field.integer($0)] } ?? []
            let columns = child.fields + fixed.map { Field.text($0) } + order
            return ChildMapping(
                child: child, columns: columns, fixedColumns: fixed, tableID: Fingerprint.id(of: child.table),
                columnIDs: columns.map { Fingerprint.id(of: $0.column) },
                index: KeyIndex(
                    child.fields.enumerated().flatMap { field, column in
                        column.keys.enumerated().map { ($1, (field: field, rank: $0)) }
                    }),
                idIndex: KeyIndex(child.idKeys.enumerated().map { ($1, $0) }))
        }

        var entries: [(String, Target)] = entity.idKeys.enumerated().map { ($1, .id(rank: $0)) }
        for (position, column) in columns.enumerated() where position != isActiveColumn {
            entries += column.keys.enumerated().map { ($1, .field(position, rank: $0)) }
        }
        for (position, child) in entity.children.enumerated() {
            entries += child.sources.enumerated().map { ($1.key, .child(position, source: $0)) }
        }
        if let discriminator = entity.discriminator { entries.append((discriminator.key, .discriminator)) }
        if customFieldsColumn != nil { entries.append(("custom_field_hash", .customFieldHash)) }
        index = KeyIndex(entries)
    }

    /// Whether a record of the entity's module belongs to this entity.
    ///
    /// - Throws: ``JSONSyntaxError`` where the record is not JSON.
    package func owns(_ record: RawJSON) throws -> Bool {
        guard let discriminator = entity.discriminator else { return true }
        return try record.read { view in
            guard let value = try view.member(discriminator.key) else { return false }
            return value.content.elementsEqual(discriminator.value.utf8)
        }
    }

    /// The id that a record carries, however broken the rest of it is; nil where there is none to be found.
    package func id(of record: RawJSON) -> String? {
        try? record.read { try id(in: $0) }
    }

    /// A record's time of modification in microseconds since 1970; nil where it has none that can be read.
    package func modifiedAt(of record: RawJSON) -> Int64? {
        try? record.read { view in
            for key in columns[modifiedColumn].keys {
                if let value = try view.member(key), case .instant(let time)? = FieldValue.instant(from: value) {
                    return time
                }
            }
            return nil
        }
    }

    /// Whether a record tells its time of modification only under another key than lists do.
    ///
    /// No documentation says that both are the same (reference, sections 6.6 and 6.7).
    package func tellsAnotherTime(_ record: RawJSON) -> Bool {
        guard let first = entity.module.modifiedKeys.first, entity.module.modifiedKeys.count > 1 else { return false }
        return (try? record.read { try $0.member(first) == nil }) ?? false
    }

    /// The id that a record carries; nil where it has none.
    func id(in record: JSONView) throws -> String? {
        for key in entity.idKeys {
            if let value = try record.member(key), case .text(let id)? = FieldValue.text(from: value) { return id }
        }
        return nil
    }
}
