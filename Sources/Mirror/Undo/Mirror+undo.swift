package import Catalog
import Database
import ZohoBooks

extension Mirror {
    /// Records whose changes are taken back in one transaction.
    private static let undoSize = 200

    /// Takes back what a run changed, from the change log.
    ///
    /// A record that somebody else has changed since is left alone. The entity's cursor is forgotten, so that the next
    /// sync looks at everything, and details of the rows that stay are outstanding again.
    ///
    /// The caller holds the entity's lease.
    ///
    /// - Parameters:
    ///   - origin: who takes it back: a run of its own.
    ///   - isRehearsal: whether nothing is to be left behind.
    ///   - assumed: for a rehearsal, runs that would have been taken back before.
    /// - Throws: ``DatabaseError``; what was taken back by then stays so, and doing it again goes on.
    package func undo(
        _ run: Run, of mapping: EntityMapping, origin: Origin, isRehearsal: Bool, assuming assumed: Set<Int64> = []
    ) async throws -> UndoReport {
        struct Rehearsed: Error { let report: UndoReport }
        var report = UndoReport()
        var after = ""
        while true {
            let (last, time) = (after, now())
            let ids = try await database.read { transaction in
                try transaction.query(
                    """
                    select distinct zoho_id from sync_changes where run_id = $1 and zoho_id > $2
                    order by zoho_id limit \(Self.undoSize)
                    """, [.integer(run.id), .text(last)]
                ).compactMap { $0.text(0) }
            }
            guard let end = ids.last else { break }
            after = end
            do {
                report.add(
                    try await database.write { transaction in
                        let application = Application(Batch(mapping, origin: origin), transaction, time: time)
                        let part = try application.takeBack(ids, of: run.id, assuming: assumed)
                        if isRehearsal { throw Rehearsed(report: part) }
                        try application.writeLog()
                        return part
                    })
            } catch let rehearsed as Rehearsed {
                report.add(rehearsed.report)
            }
        }
        report.lettersClosed = try await closeLetters(of: run, isRehearsal: isRehearsal)
        return report
    }

    private func closeLetters(of run: Run, isRehearsal: Bool) async throws -> Int {
        let time = now()
        guard !isRehearsal else {
            return try await database.read { transaction in
                try transaction.query(
                    "select count(*) from sync_dead_letters where run_id = $1 and state = 'open'", [.integer(run.id)]
                ).first?.int(0).map { Int($0) } ?? 0
            }
        }
        return try await database.write { transaction in
            try transaction.execute("delete from sync_cursors where entity = $1", [.text(run.entity)])
            return try transaction.execute(
                """
                update sync_dead_letters set state = 'discarded', closed_at = $1, close_reason = $2
                where run_id = $3 and state = 'open'
                """, [.instant(time), .text("run \(run.id) was taken back"), .integer(run.id)])
        }
    }
}

/// What a record was before a run, as far as the run has changed it.
private struct Former {
    /// Whether the run has inserted it.
    var isInserted = false
    /// The columns' values before.
    var cells: [String: FieldValue] = [:]
    /// The child tables' rows before.
    var children: [String: [ChildRow]] = [:]
    /// When it had been marked as deleted; the outer nil where the run did not touch that.
    var deletedAt: Int64??
}

extension Application {
    /// Takes back what a run changed in some records, unless others have changed them since.
    func takeBack(_ ids: [String], of runID: Int64, assuming assumed: Set<Int64>) throws -> UndoReport {
        var report = UndoReport()
        let stored = try transaction.storedStates(of: ids, mapping, isLocking: true)
        let formers = try formers(of: ids, before: runID, assuming: assumed)
        report.leftAlone = ids.count { stored[$0] == nil || formers[$0] == nil }
        var removed: [StoredState] = []
        var reverted: [(id: String, state: StoredState, former: Former)] = []
        for id in ids {
            guard let state = stored[id], let former = formers[id] else { continue }
            if former.isInserted {
                removed.append(state)
                var document = ChangeDocument()
                document.addDeleted(at: time)
                log(change(.deleted, id, hash: state.fingerprint?.text ?? "", changes: document.json))
            } else {
                reverted.append((id, state, former))
            }
        }
        if !removed.isEmpty {
            try transaction.execute(
                "delete from \(mapping.entity.name) where \(transaction.dialect.contains("id", "$1"))",
                [.integers(removed.map(\.rowID))])
            report.removed = removed.count
        }
        try revert(reverted, &report)
        return report
    }

    // MARK: - What was

    /// What records were before a run, by id; none for a record whose last change is another's.
    ///
    /// Runs that were taken back count as if they had not been.
    private func formers(
        of ids: [String], before runID: Int64, assuming assumed: Set<Int64>
    ) throws -> [String: Former] {
        let undone = try undoneRuns()
        let rows = try transaction.query(
            """
            select zoho_id, kind, run_id, changes from sync_changes
            where entity = $1 and \(transaction.dialect.contains("zoho_id", "$2"))
                and id >= (select min(id) from sync_changes where run_id = $3)
            order by id desc
            """, [.text(mapping.entity.name), .texts(ids), .integer(runID)])
        var formers: [String: Former] = [:]
        var ended: Set<String> = []
        var takenBack: [String: Set<Int64>] = [:]
        // From the newest to the oldest, as long as they are the run's.
        for row in rows {
            guard let id = row.text(0), !ended.contains(id) else { continue }
            if let changer = row.int(2) {
                if let other = undone[changer] {
                    takenBack[id, default: []].insert(other)
                    continue
                }
                if assumed.contains(changer) || takenBack[id]?.contains(changer) == true { continue }
            }
            guard row.int(2) == runID else {
                ended.insert(id)
                continue
            }
            var former = formers[id] ?? Former()
            if row.text(1) == Outcome.inserted.rawValue {
                former.isInserted = true
            } else if let changes = row.json(3) {
                try read(RawJSON(changes), into: &former)
            }
            formers[id] = former
        }
        return formers
    }

    /// The runs that have taken back another one, with that one.
    private func undoneRuns() throws -> [Int64: Int64] {
        let rows = try transaction.query(
            "select id, options from sync_runs where entity = $1 and kind = $2",
            [.text(mapping.entity.name), .text(Run.Kind.undo.rawValue)])
        return try rows.reduce(into: [:]) { runs, row in
            guard let id = row.int(0), let options = row.json(1) else { return }
            try RawJSON(options).read { view in
                if let undone = try view.member("undoes").flatMap({ Int64(try $0.text()) }) { runs[id] = undone }
            }
        }
    }

    private func read(_ changes: RawJSON, into former: inout Former) throws {
        let kinds = Dictionary(mapping.columns.map { ($0.column, $0.kind) }, uniquingKeysWith: { $1 })
        let children = Dictionary(mapping.children.map { ($0.child.table, $0) }, uniquingKeysWith: { $1 })
        try changes.read { view in
            try view.members { key, change in
                let name = try JSONView.text(ofKey: key)
                guard let before = try change.member("before") else { return }
                if name == "deleted_at" {
                    if case .instant(let time) = before.value(of: .instant, in: changes) {
                        former.deletedAt = .some(time)
                    } else {
                        former.deletedAt = .some(nil)
                    }
                } else if let kind = kinds[name] {
                    former.cells[name] = before.value(of: kind, in: changes)
                } else if let child = children[name] {
                    former.children[name] = try before.rows(of: child, in: changes)
                }
            }
        }
    }

    // MARK: - Bringing it back

    private func revert(
        _ records: [(id: String, state: StoredState, former: Former)], _ report: inout UndoReport
    ) throws {
        guard !records.isEmpty else { return }
        let current = try rows(of: records.map(\.state.rowID))
        let childChanges = try replaceChildren(of: try records.compactMap { try childSet($0.state, $0.former) })
        var updates: [(id: Int64, values: [SQLValue])] = []
        for (id, state, former) in records {
            guard let row = current[state.rowID] else { continue }
            var cells = row.cells
            var difference = ChangeDocument()
            for (position, column) in mapping.columns.enumerated() {
                guard let before = former.cells[column.column], before != cells[position] else { continue }
                difference.add(column.column, before: cells[position], after: before)
                cells[position] = before
            }
            let children = childChanges[state.rowID]
            for (table, rows) in children?.tables ?? [] {
                difference.add(table, before: rows.before, after: rows.after)
            }
            var (kind, deletedAt) = (Outcome.updated, row.deletedAt)
            if let before = former.deletedAt, before != row.deletedAt {
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
            log(change(kind, id, hash: hash, changes: difference.json))
            updates.append(
                (
                    state.rowID,
                    cells.map { SQLValue($0) } + [
                        .boolean(deletedAt == nil), .instant(time), deletedAt.map { .instant($0) } ?? .null,
                        .text(hash),
                    ]
                ))
        }
        try transaction.update(
            updates, in: mapping.entity.name,
            columns: mapping.columns.map(\.column) + ["detail_due", "synced_at", "deleted_at", "content_hash"])
    }

    /// All child rows that a record is to have again; nil where the run has left them alone.
    private func childSet(_ state: StoredState, _ former: Former) throws -> ChildSet? {
        guard !former.children.isEmpty else { return nil }
        let children = try mapping.children.map { child in
            try former.children[child.child.table] ?? childRows(child, of: state.rowID)
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

extension JSONView {
    /// A value as the change log spells it.
    fileprivate func value(of kind: Field.Kind, in document: RawJSON) -> FieldValue {
        if self.kind == .null { return .null }
        let value: FieldValue? =
            switch kind {
            case .text: .text(from: self)
            case .integer: .integer(from: self)
            case .decimal: .decimal(from: self)
            case .boolean: .boolean(from: self)
            case .instant: .instant(from: self)
            case .date: .date(from: self)
            case .json, .customFields: .canonicalJSON(raw(in: document).bytes)
            }
        return value ?? .null
    }

    /// Child rows as the change log spells them: an object each, which leaves out what is null.
    fileprivate func rows(of mapping: EntityMapping.ChildMapping, in document: RawJSON) throws -> [ChildRow] {
        var rows: [ChildRow] = []
        try elements { element in
            guard let id = try element.member(mapping.child.keyColumn), case .text(let key)? = FieldValue.text(from: id)
            else { return }
            rows.append(
                ChildRow(
                    key: key,
                    cells: try mapping.columns.map { column in
                        try element.member(column.column)?.value(of: column.kind, in: document) ?? .null
                    }))
        }
        return rows
    }
}
