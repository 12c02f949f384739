import Catalog
import Database

/// What is said of the child rows of one parent.
struct ChildSet {
    let parent: Int64
    /// The rows for each of the entity's child tables; nil where nothing is said of a table, whose rows then stay.
    let children: [[ChildRow]?]
    /// For each table the places of which nothing is said: what they brought before stays.
    let unsaid: [[Int]]

    init(parent: Int64, children: [[ChildRow]?], unsaid: [[Int]] = []) {
        self.parent = parent
        self.children = children
        self.unsaid = unsaid
    }
}

/// What replacing the children of one parent changed.
struct ChildChanges {
    /// The hash over the rows as they are now, in all tables.
    var hash: UInt64 = 0
    /// The tables in which rows differ, with all rows before and after.
    var tables: [(table: String, rows: (before: [[String: FieldValue]], after: [[String: FieldValue]]))] = []
}

extension Application {
    /// Makes the child rows of each parent those that are said.
    ///
    /// Rows that stay the same are not written and a changed row keeps its `id`. A row whose Zoho id belongs to
    /// another parent by now, as after a merge of contacts, moves; that its former parent has lost it is logged here,
    /// unless it is among `sets`.
    ///
    /// - Returns: what changed, by the parent's id, where something is said.
    @discardableResult
    func replaceChildren(of sets: [ChildSet]) throws -> [Int64: ChildChanges] {
        let saying = sets.filter { set in set.children.contains { $0 != nil } }
        guard !saying.isEmpty else { return [:] }
        var replacement = Replacement(parents: saying.map(\.parent))
        for (position, child) in mapping.children.enumerated() {
            try replace(position, child, of: saying, &replacement)
        }
        for set in saying {
            replacement.changes[set.parent]?.hash = mapping.fingerprint(children: replacement.rows[set.parent] ?? [])
        }
        if !replacement.taken.isEmpty { try logLosses(replacement.taken) }
        return replacement.changes
    }

    /// The children of some parents while they are replaced.
    private struct Replacement {
        var changes: [Int64: ChildChanges]
        /// The rows of each parent as they are to be, table by table.
        var rows: [Int64: [[ChildRow]]] = [:]
        /// Rows that were taken from other parents, by that parent and the position of the table.
        var taken: [Int64: [Int: [ExistingChild]]] = [:]

        init(parents: [Int64]) {
            changes = Dictionary(parents.map { ($0, ChildChanges()) }, uniquingKeysWith: { first, _ in first })
        }
    }

    private func replace(
        _ position: Int, _ mapping: EntityMapping.ChildMapping, of sets: [ChildSet], _ replacement: inout Replacement
    ) throws {
        let child = mapping.child
        let parentColumn = self.mapping.entity.parentColumn
        let existing = try existingRows(
            mapping, of: sets.map(\.parent), or: sets.flatMap { $0.children[position]?.map(\.key) ?? [] })
        let byParent = Dictionary(grouping: existing, by: \.parent)
        let byKey = Dictionary(existing.map { ($0.row.key, $0) }, uniquingKeysWith: { $1 })

        var removed: Set<Int64> = []
        var added: [(existingID: Int64?, parent: Int64, row: ChildRow)] = []
        for set in sets {
            let old = byParent[set.parent] ?? []
            guard let said = set.children[position] else {
                replacement.rows[set.parent, default: []].append(old.map(\.row))
                continue
            }
            let unsaid = set.unsaid.isEmpty ? [] : set.unsaid[position]
            let saidKeys = Set(said.map(\.key))
            let rows =
                said
                + old.map(\.row).filter { row in
                    !saidKeys.contains(row.key) && mapping.source(of: row).map { unsaid.contains($0) } == true
                }
            replacement.rows[set.parent, default: []].append(rows)
            let keys = Set(rows.map(\.key))
            removed.formUnion(old.filter { !keys.contains($0.row.key) }.map(\.id))
            var isDifferent = old.count != rows.count
            for row in said {
                let stored = byKey[row.key]
                if let stored, stored.parent == set.parent, stored.row == row { continue }
                isDifferent = true
                if let stored {
                    removed.insert(stored.id)
                    if replacement.changes[stored.parent] == nil {
                        replacement.taken[stored.parent, default: [:]][position, default: []].append(stored)
                    }
                }
                added.append((stored?.id, set.parent, row))
            }
            if isDifferent {
                replacement.changes[set.parent]?.tables.append(
                    (child.table, (mapping.documents(old.map(\.row)), mapping.documents(rows))))
            }
        }
        if !removed.isEmpty {
            let deleted = try transaction.execute(
                "delete from \(child.table) where \(transaction.dialect.contains("id", "$1"))",
                [.integers(removed.sorted())])
            try expect(deleted, of: removed.count, in: child.table)
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

    /// Logs what parents have lost to others, and makes their hashes those of what is left.
    private func logLosses(_ taken: [Int64: [Int: [ExistingChild]]]) throws {
        let entity = mapping.entity
        let left = try mapping.children.map { child in
            Dictionary(grouping: try existingRows(child, of: taken.keys.sorted(), or: []), by: \.parent)
        }
        let parents = try transaction.query(
            """
            select id, \(entity.keyColumn), content_hash from \(entity.name)
            where \(transaction.dialect.contains("id", "$1")) order by id\(transaction.dialect.forUpdate)
            """, [.integers(taken.keys.sorted())])
        var updates: [(id: Int64, values: [SQLValue])] = []
        for row in parents {
            guard let parent = row.int(0), let zohoID = row.text(1), let losses = taken[parent] else { continue }
            let rows = left.map { $0[parent] ?? [] }
            var difference = RowDifference()
            for (position, lost) in losses.sorted(by: { $0.key < $1.key }) {
                let (child, after) = (mapping.children[position], rows[position])
                let before = (after + lost).sorted { $0.id < $1.id }
                difference.add(
                    child.child.table, before: child.documents(before.map(\.row)),
                    after: child.documents(after.map(\.row)))
            }
            var fingerprint = row.text(2).flatMap { Fingerprint($0) }
            fingerprint?.children = mapping.fingerprint(children: rows.map { $0.map(\.row) })
            let hash = fingerprint?.text ?? row.text(2) ?? ""
            log(change(.updated, zohoID, hash: hash, changes: difference.json))
            updates.append((parent, [.instant(time), .text(hash)]))
        }
        let updated = try transaction.update(updates, in: entity.name, columns: ["synced_at", "content_hash"])
        try expect(updated, of: taken.count, in: entity.name)
    }

    private struct ExistingChild {
        let id: Int64
        let parent: Int64
        let row: ChildRow
    }

    /// The child rows of some parents, and those with some keys, whosever they are.
    private func existingRows(
        _ mapping: EntityMapping.ChildMapping, of parents: [Int64], or keys: [String]
    ) throws -> [ExistingChild] {
        let child = mapping.child
        let parentColumn = self.mapping.entity.parentColumn
        return try transaction.query(
            """
            select id, \(parentColumn), \(child.keyColumn), \(mapping.columns.map(\.column).joined(separator: ", "))
            from \(child.table)
            where \(transaction.dialect.contains(parentColumn, "$1"))
                or \(transaction.dialect.contains(child.keyColumn, "$2"))
            order by id
            """, [.integers(parents), .texts(keys)]
        ).compactMap { row in
            guard let id = row.int(0), let parent = row.int(1), let key = row.text(2) else { return nil }
            let cells = mapping.columns.enumerated().map { row.fieldValue($0 + 3, $1.kind) }
            return ExistingChild(id: id, parent: parent, row: ChildRow(key: key, cells: cells))
        }
    }
}

extension EntityMapping.ChildMapping {
    /// Rows as the change log spells them, without what is null.
    fileprivate func documents(_ rows: [ChildRow]) -> [[String: FieldValue]] {
        rows.map { row in
            var document = [child.keyColumn: FieldValue.text(row.key)]
            for (column, cell) in zip(columns, row.cells) where cell != .null { document[column.column] = cell }
            return document
        }
    }
}
