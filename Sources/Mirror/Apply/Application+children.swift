import Catalog
import Database

/// The child rows that a parent is to have, for each of the entity's child tables; nil where nothing is said of them.
struct ChildSet {
    let parent: Int64
    let children: [[ChildRow]]?
}

/// What replacing the children of one parent changed.
struct ChildChanges {
    /// The hash over the rows as they are now.
    let hash: UInt64
    /// The tables in which rows differ, with all rows before and after.
    var tables: [(table: String, rows: (before: [[String: FieldValue]], after: [[String: FieldValue]]))]
}

extension Application {
    /// Makes the child rows of each parent exactly those that are said.
    ///
    /// Rows that stay the same are not written and a changed row keeps its `id`. A row whose Zoho id belongs to
    /// another parent by now, as after a merge of contacts, moves.
    ///
    /// - Returns: what changed, by the parent's id, where something is said.
    @discardableResult
    func replaceChildren(of sets: [ChildSet]) throws -> [Int64: ChildChanges] {
        let saying = sets.filter { $0.children != nil }
        guard !saying.isEmpty, !mapping.children.isEmpty else { return [:] }
        var changes: [Int64: ChildChanges] = [:]
        for set in saying {
            changes[set.parent] = ChildChanges(
                hash: mapping.fingerprint(children: set.children ?? []), tables: [])
        }
        for (position, child) in mapping.children.enumerated() {
            try replace(position, child, of: saying, &changes)
        }
        return changes
    }

    private func replace(
        _ position: Int, _ mapping: EntityMapping.ChildMapping, of sets: [ChildSet],
        _ changes: inout [Int64: ChildChanges]
    ) throws {
        let child = mapping.child
        let parentColumn = self.mapping.entity.parentColumn
        let existing = try existingRows(mapping, parentColumn, of: sets, position)
        var byParent: [Int64: [ExistingChild]] = [:]
        var byKey: [String: ExistingChild] = [:]
        for row in existing {
            byParent[row.parent, default: []].append(row)
            byKey[row.row.key] = row
        }

        var removed: [Int64] = []
        var added: [(existingID: Int64?, parent: Int64, row: ChildRow)] = []
        for set in sets {
            let rows = set.children?[position] ?? []
            let old = byParent[set.parent] ?? []
            let keys = Set(rows.map(\.key))
            removed += old.filter { !keys.contains($0.row.key) }.map(\.id)
            var isDifferent = old.count != rows.count
            for row in rows {
                let stored = byKey[row.key]
                if let stored, stored.parent == set.parent, stored.row == row { continue }
                isDifferent = true
                if let stored { removed.append(stored.id) }
                added.append((stored?.id, set.parent, row))
            }
            if isDifferent {
                let columns = mapping.columns.map(\.column)
                changes[set.parent]?.tables.append(
                    (
                        child.table,
                        (
                            old.map { $0.row.document(child.keyColumn, columns) },
                            rows.map { $0.document(child.keyColumn, columns) }
                        )
                    ))
            }
        }
        if !removed.isEmpty {
            try transaction.execute(
                "delete from \(child.table) where \(transaction.dialect.contains("id", "$1"))", [.integers(removed)])
        }
        guard !added.isEmpty else { return }
        var fresh = try transaction.reserveIDs(added.count { $0.existingID == nil }, in: child.table)[...]
        let rows = added.map { addition in
            let id = addition.existingID ?? fresh.popFirst() ?? 0
            return [.integer(id), .integer(addition.parent), .text(addition.row.key)]
                + addition.row.cells.map { SQLValue($0) }
        }
        try transaction.insert(
            rows, into: child.table,
            columns: ["id", parentColumn, child.keyColumn] + mapping.columns.map(\.column))
    }

    private struct ExistingChild {
        let id: Int64
        let parent: Int64
        let row: ChildRow
    }

    private func existingRows(
        _ mapping: EntityMapping.ChildMapping, _ parentColumn: String, of sets: [ChildSet], _ position: Int
    ) throws -> [ExistingChild] {
        let child = mapping.child
        let keys = sets.flatMap { $0.children?[position].map(\.key) ?? [] }
        return try transaction.query(
            """
            select id, \(parentColumn), \(child.keyColumn), \(mapping.columns.map(\.column).joined(separator: ", "))
            from \(child.table)
            where \(transaction.dialect.contains(parentColumn, "$1"))
                or \(transaction.dialect.contains(child.keyColumn, "$2"))
            order by id
            """, [.integers(sets.map(\.parent)), .texts(keys)]
        ).compactMap { row in
            guard let id = row.int(0), let parent = row.int(1), let key = row.text(2) else { return nil }
            let cells = mapping.columns.enumerated().map { row.fieldValue($0 + 3, $1.kind) }
            return ExistingChild(id: id, parent: parent, row: ChildRow(key: key, cells: cells))
        }
    }
}

extension ChildRow {
    fileprivate func document(_ keyColumn: String, _ columns: [String]) -> [String: FieldValue] {
        var document = [keyColumn: FieldValue.text(key)]
        for (column, cell) in zip(columns, cells) where cell != .null { document[column] = cell }
        return document
    }
}
