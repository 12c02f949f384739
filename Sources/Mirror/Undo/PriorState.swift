import Catalog
import Database
import ZohoBooks

/// The state of a record before a run, as far as the run has changed it.
struct PriorState {
    /// Whether the run has inserted it.
    var isInserted = false
    /// The columns' values before.
    var cells: [String: FieldValue] = [:]
    /// The child tables' rows before.
    var children: [String: [ChildRow]] = [:]
    /// When it had been marked as deleted; the outer nil where the run did not touch that.
    var deletedAt: Int64??

    /// Whether the run has written what Zoho sent over what it had sent before; a mere deletion has not.
    var isRewritten: Bool { !cells.isEmpty || !children.isEmpty || (deletedAt ?? nil) != nil }
}

extension Application {
    /// The states of records before a run, by id; none for a record whose last change is another run's or delivery's.
    ///
    /// Runs that were taken back count as if they had not been. What an undo of this very run has logged is passed
    /// over until one has completed: it may have returned a child that a merge had moved, before it came to the record
    /// that loses it again.
    func priorStates(
        of ids: [String], before runID: Int64, assuming assumed: Set<Int64>
    ) throws -> [String: PriorState] {
        let undos = try undos()
        let isTakenBack = undos.values.contains { $0.undone == runID && $0.isCompleted }
        let rows = try transaction.query(
            """
            select zoho_id, kind, run_id, changes from sync_changes
            where entity = $1 and \(transaction.dialect.contains("zoho_id", "$2"))
                and id >= (select min(id) from sync_changes where run_id = $3)
            order by id desc
            """, [.text(mapping.entity.name), .texts(ids), .integer(runID)])
        var priorStates: [String: PriorState] = [:]
        var ended: Set<String> = []
        var takenBack: [String: Set<Int64>] = [:]
        // From the newest to the oldest, as long as they are the run's.
        for row in rows {
            guard let id = row.text(0), !ended.contains(id) else { continue }
            if let changer = row.int(2) {
                if let undone = undos[changer]?.undone {
                    if undone != runID || isTakenBack { takenBack[id, default: []].insert(undone) }
                    continue
                }
                if assumed.contains(changer) || takenBack[id]?.contains(changer) == true { continue }
            }
            guard row.int(2) == runID else {
                ended.insert(id)
                continue
            }
            var prior = priorStates[id] ?? PriorState()
            if row.text(1) == Outcome.inserted.rawValue {
                prior.isInserted = true
            } else if let changes = row.json(3) {
                try read(RawJSON(changes), into: &prior)
            }
            priorStates[id] = prior
        }
        return priorStates
    }

    /// The runs that take back another one, with that one and whether they have come to their end.
    private func undos() throws -> [Int64: (undone: Int64, isCompleted: Bool)] {
        let rows = try transaction.query(
            "select id, options, state from sync_runs where entity = $1 and kind = $2",
            [.text(mapping.entity.name), .text(Run.Kind.undo.rawValue)])
        return try rows.reduce(into: [:]) { runs, row in
            guard let id = row.int(0), let options = row.json(1) else { return }
            try RawJSON(options).read { view in
                guard let undone = try view.member("undoes").flatMap({ Int64(try $0.text()) }) else { return }
                runs[id] = (undone, row.text(2) == Run.State.completed.rawValue)
            }
        }
    }

    private func read(_ changes: RawJSON, into prior: inout PriorState) throws {
        let kinds = Dictionary(mapping.columns.map { ($0.column, $0.kind) }, uniquingKeysWith: { $1 })
        let children = Dictionary(mapping.children.map { ($0.child.table, $0) }, uniquingKeysWith: { $1 })
        try changes.read { view in
            try view.members { key, change in
                let name = try JSONView.text(ofKey: key)
                guard let before = try change.member("before") else { return }
                if name == "deleted_at" {
                    if case .instant(let time) = before.value(of: .instant, in: changes) {
                        prior.deletedAt = .some(time)
                    } else {
                        prior.deletedAt = .some(nil)
                    }
                } else if let kind = kinds[name] {
                    prior.cells[name] = before.value(of: kind, in: changes)
                } else if let child = children[name] {
                    prior.children[name] = try before.rows(of: child, in: changes)
                }
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
            case .json, .customFields: .canonicalJSON(raw(in: document).bytes, of: kind)
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
