import Catalog
import Database

extension Application {
    /// Takes back what a run changed in some records, unless others have changed them since.
    func takeBack(_ ids: [String], of runID: Int64, assuming assumed: Set<Int64>) throws -> UndoReport {
        var report = UndoReport()
        let stored = try transaction.storedStates(of: ids, mapping, isLocking: true)
        let priorStates = try priorStates(of: ids, before: runID, assuming: assumed)
        report.leftAlone = ids.count { stored[$0] == nil || priorStates[$0] == nil }
        var removed: [(id: String, state: StoredState)] = []
        var reverted: [(id: String, state: StoredState, prior: PriorState)] = []
        for id in ids {
            guard let state = stored[id], let prior = priorStates[id] else { continue }
            if prior.isInserted {
                removed.append((id, state))
            } else {
                reverted.append((id, state, prior))
            }
        }
        report.removed = try remove(removed)
        try revert(reverted, &report)
        return report
    }

    /// Takes back everything of some records.
    func takeBackAll(_ ids: [String]) throws -> UndoReport {
        let stored = try transaction.storedStates(of: ids, mapping, isLocking: true)
        var report = UndoReport()
        report.removed = try remove(ids.compactMap { id in stored[id].map { (id, $0) } })
        return report
    }

    /// Removes rows with their children; the log says that the records are gone.
    ///
    /// - Returns: how many.
    private func remove(_ records: [(id: String, state: StoredState)]) throws -> Int {
        guard !records.isEmpty else { return 0 }
        var difference = RowDifference()
        difference.addDeleted(at: time)
        for (id, state) in records {
            log(change(.deleted, id, hash: state.fingerprint?.text ?? "", changes: difference.json))
        }
        let deleted = try transaction.execute(
            "delete from \(mapping.entity.name) where \(transaction.dialect.contains("id", "$1"))",
            [.integers(records.map(\.state.rowID))])
        try expect(deleted, of: records.count, in: mapping.entity.name)
        return records.count
    }

    // MARK: - Bringing it back

    private func revert(
        _ records: [(id: String, state: StoredState, prior: PriorState)], _ report: inout UndoReport
    ) throws {
        guard !records.isEmpty else { return }
        let current = try rows(of: records.map(\.state.rowID))
        let childChanges = try replaceChildren(of: try records.compactMap { try childSet($0.state, $0.prior) })
        var updates: [(id: Int64, values: [SQLValue])] = []
        var rewritten: [Int64] = []
        for (id, state, prior) in records {
            guard let row = current[state.rowID] else { continue }
            var cells = row.cells
            var difference = RowDifference()
            for (position, column) in mapping.columns.enumerated() {
                guard let before = prior.cells[column.column], before != cells[position] else { continue }
                difference.add(column.column, before: cells[position], after: before)
                cells[position] = before
            }
            let children = childChanges[state.rowID]
            for (table, rows) in children?.tables ?? [] {
                difference.add(table, before: rows.before, after: rows.after)
            }
            var (kind, deletedAt) = (Outcome.updated, row.deletedAt)
            if let before = prior.deletedAt, before != row.deletedAt {
                deletedAt = before
                if let before {
                    difference.addDeleted(at: before)
                    kind = .deleted
                    report.deletedAgain += 1
                } else {
                    difference.addRestored(deletedAt: row.deletedAt)
                    kind = .restored
                    report.undeleted += 1
                }
            } else {
                report.reverted += 1
            }
            let hash = mapping.fingerprint(cells, children: children?.hash ?? state.fingerprint?.children ?? 0).text
            // Nothing differs where an undo that ended halfway has been here before.
            if !difference.isEmpty { log(change(kind, id, hash: hash, changes: difference.json)) }
            if prior.isRewritten { rewritten.append(state.rowID) }
            updates.append(
                (
                    state.rowID,
                    cells.map { SQLValue($0) } + [
                        .boolean(deletedAt == nil), .instant(time), deletedAt.map { .instant($0) } ?? .null,
                        .text(hash),
                    ]
                ))
        }
        let updated = try transaction.update(
            updates, in: mapping.entity.name,
            columns: mapping.columns.map(\.column) + ["detail_due", "synced_at", "deleted_at", "content_hash"])
        try expect(updated, of: updates.count, in: mapping.entity.name)
        try forgetRecords(of: rewritten)
    }

    private func forgetRecords(of rowIDs: [Int64]) throws {
        guard !rowIDs.isEmpty else { return }
        try transaction.execute(
            """
            update \(mapping.entity.name) set zoho_data = null
            where \(transaction.dialect.contains("id", "$1"))
            """, [.integers(rowIDs)])
    }

    /// All child rows that a record is to have again; nil where the run did not change them.
    private func childSet(_ state: StoredState, _ prior: PriorState) throws -> ChildSet? {
        guard !prior.children.isEmpty else { return nil }
        let children = try mapping.children.map { child in
            try prior.children[child.child.table] ?? childRows(child, of: state.rowID)
        }
        return ChildSet(parent: state.rowID, children: children)
    }

    private func childRows(_ mapping: EntityMapping.ChildMapping, of parent: Int64) throws -> [ChildRow] {
        let child = mapping.child
        return try transaction.query(
            """
            select \(child.keyColumn), \(mapping.columns.map(\.column).joined(separator: ", "))
            from \(child.table) where \(self.mapping.entity.parentColumn) = $1 order by id
            """, [.integer(parent)]
        ).compactMap { row in
            row.text(0).map { key in
                ChildRow(
                    key: key, cells: mapping.columns.enumerated().map { row.fieldValue($0 + 1, $1.kind) })
            }
        }
    }
}
