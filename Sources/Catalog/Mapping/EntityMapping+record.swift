package import ZohoBooks

extension EntityMapping {
    /// Turns a record into rows.
    ///
    /// Pure: the same bytes always give the same rows.
    ///
    /// - Parameter observedAt: when Zoho said it, in microseconds since 1970.
    /// - Throws: ``MappingError`` for a record that cannot become a row.
    package func rows(
        of record: RawJSON, shape: RecordShape, observedAt: Int64
    ) throws(MappingError) -> MappedRecord {
        do {
            var state = RecordState(columns: columns.count, children: children)
            return try record.readObject { key, value in
                try take(value, for: key, shape: shape, into: &state)
            } finish: {
                try finish(&state, record, shape: shape, observedAt: observedAt)
            }
        } catch let error as MappingError {
            throw error
        } catch let fault as FieldFault {
            throw .unreadable(fault)
        } catch {
            throw .notAnObject("\(error)")
        }
    }

    private func take(
        _ value: JSONView, for key: UnsafeBufferPointer<UInt8>, shape: RecordShape, into state: inout RecordState
    ) throws {
        let found = index[key]
        for position in found { try take(value, for: index.targets[position], shape: shape, into: &state) }
        if found.isEmpty, customFieldsColumn != nil {
            state.takeCustomFields(value) { try $0.takeFlattened(key, value) }
        }
    }

    /// Puts the record together while the values that were found are still valid.
    private func finish(
        _ state: inout RecordState, _ record: RawJSON, shape: RecordShape, observedAt: Int64
    ) throws -> MappedRecord {
        guard let id = state.id else { throw MappingError.missingID(keys: entity.idKeys) }

        if let customFieldsColumn, let value = state.customFields.value {
            state.cells[customFieldsColumn] = value
        }
        if case .text(let status)? = state.cells[statusColumn] {
            state.cells[isActiveColumn] = .boolean(!entity.inactiveStatuses.contains(status))
        }
        if shape == .detail {
            for (position, column) in columns.enumerated()
            where state.cells[position] == nil && column.presence.isSettledByDetails {
                state.cells[position] = .null
            }
        }
        var rows: [[ChildRow]?] = []
        var unsaid: [[Int]] = []
        rows.reserveCapacity(children.count)
        for (position, child) in children.enumerated() where shape == .detail {
            let views = state.childViews[position]
            let missing = views.indices.filter { views[$0] == nil }
            for source in missing {
                let reason = "the record has no \(child.child.sources[source].key)"
                state.faults.append(FieldFault(field: child.child.table, reason: reason))
            }
            rows.append(missing.count < views.count ? try self.rows(of: views, child, id, &state.faults) : nil)
            unsaid.append(missing)
        }
        if shape == .list {
            rows = children.map { _ in nil }
            unsaid = children.map { Array($0.child.sources.indices) }
        }
        var modifiedAt: Int64?
        if case .instant(let instant)? = state.cells[modifiedColumn] { modifiedAt = instant }
        return MappedRecord(
            id: id, shape: shape, cells: state.cells, children: rows, unsaid: unsaid, modifiedAt: modifiedAt,
            observedAt: observedAt, faults: state.faults, raw: record)
    }

    private func take(
        _ value: JSONView, for target: Target, shape: RecordShape, into state: inout RecordState
    ) throws {
        switch target {
        case .id(let rank):
            if rank < state.idRank, case .text(let id)? = FieldValue.text(from: value) {
                state.id = id
                state.idRank = rank
            }
        case .field(let position, let rank):
            let column = columns[position]
            guard column.presence != .detail || shape == .detail else { return }
            if column.kind == .customFields {
                return state.takeCustomFields(value) { try $0.takeArray(value) }
            }
            guard rank < state.ranks[position] else { return }
            do {
                let read = try column.read(value)
                if read == .null, state.cells[position] != nil { return }
                state.cells[position] = read
                state.ranks[position] = read == .null ? Int.max : rank
            } catch let fault as FieldFault {
                if column.isStrict || position >= statusColumn { throw fault }
                state.faults.append(fault)
            }
        case .child(let child, let source):
            if shape == .detail { state.childViews[child][source] = value }
        case .customFieldHash:
            state.takeCustomFields(value) { try $0.takeHash(value) }
        case .discriminator:
            break
        }
    }

    private func rows(
        of views: [JSONView?], _ mapping: ChildMapping, _ parentID: String, _ faults: inout [FieldFault]
    ) throws -> [ChildRow] {
        var rows: [ChildRow] = []
        var keys: Set<String> = []
        func add(_ chain: [JSONView], fixed: [String: String] = [:]) throws {
            let row = try mapping.row(
                chain, fixed: fixed, position: rows.count + 1, parentID: parentID, faults: &faults)
            // The same address can be the billing and an additional one; the first place wins.
            if let row, keys.insert(row.key).inserted { rows.append(row) }
        }
        for (source, view) in zip(mapping.child.sources, views) {
            guard let view, !view.isBlank else { continue }
            do {
                switch source {
                case .object(_, let fixed):
                    try add([view], fixed: fixed)
                case .array(_, let fixed):
                    try view.elements { try add([$0], fixed: fixed) }
                case .nested(_, let inner):
                    try view.elements { outer in
                        var hasInner = false
                        if let brackets = try outer.member(inner), !brackets.isBlank {
                            try brackets.elements { bracket in
                                hasInner = true
                                try add([bracket, outer])
                            }
                        }
                        if !hasInner { try add([outer]) }
                    }
                }
            } catch is JSONSyntaxError {
                throw FieldFault(field: mapping.child.table, view, isNot: source.phrase)
            }
        }
        return rows
    }
}

/// What has been found of one record so far.
private struct RecordState {
    var id: String?
    var idRank = Int.max
    var cells: [FieldValue?]
    var ranks: [Int]
    var childViews: [[JSONView?]]
    var customFields = CustomFields()
    var faults: [FieldFault] = []

    init(columns: Int, children: [EntityMapping.ChildMapping]) {
        cells = Array(repeating: nil, count: columns)
        ranks = Array(repeating: .max, count: columns)
        childViews = children.map { Array(repeating: nil, count: $0.child.sources.count) }
    }

    /// Custom fields are optional: what cannot be read of them is a fault and keeps no record out.
    mutating func takeCustomFields(_ value: JSONView, _ take: (inout CustomFields) throws -> Void) {
        do {
            try take(&customFields)
        } catch {
            faults.append(FieldFault(field: Field.customFields.column, value, isNot: Field.Kind.customFields.phrase))
        }
    }
}

extension EntityMapping.ChildMapping {
    /// One child row from an element and those that enclose it, the innermost first; nil where they say nothing.
    fileprivate func row(
        _ chain: [JSONView], fixed: [String: String], position: Int, parentID: String, faults: inout [FieldFault]
    ) throws -> ChildRow? {
        var cells = [FieldValue](repeating: .null, count: columns.count)
        var ranks = [Int](repeating: .max, count: child.fields.count)
        var key: String?
        for (depth, view) in chain.enumerated() {
            try view.members { name, value in
                // An enclosing element's id is not the row's own: several rows would share it.
                if depth == 0, key == nil, !idIndex[name].isEmpty {
                    if case .text(let id)? = FieldValue.text(from: value) { key = id }
                }
                for position in index[name] {
                    let target = index.targets[position]
                    guard target.rank + depth * 100 < ranks[target.field] else { continue }
                    do {
                        let read = try child.fields[target.field].read(value)
                        guard read != .null else { continue }
                        cells[target.field] = read
                        ranks[target.field] = target.rank + depth * 100
                    } catch var fault as FieldFault {
                        fault.field = "\(child.table).\(fault.field)"
                        if child.fields[target.field].isStrict { throw fault }
                        faults.append(fault)
                    }
                }
            }
        }
        if key == nil, cells.allSatisfy({ $0 == .null }) { return nil }
        for (offset, column) in fixedColumns.enumerated() {
            if let value = fixed[column] { cells[child.fields.count + offset] = .text(value) }
        }
        if child.orderColumn != nil { cells[columns.count - 1] = .integer(Int64(position)) }
        return ChildRow(key: key ?? "\(parentID):\(position)", cells: cells)
    }
}

extension Field {
    /// Reads a value as what the column holds.
    ///
    /// - Throws: ``FieldFault`` with the beginning of the value where it is something else.
    func read(_ view: JSONView) throws -> FieldValue {
        let value: FieldValue? =
            switch kind {
            case .text: FieldValue.text(from: view)
            case .integer: FieldValue.integer(from: view)
            case .decimal: FieldValue.decimal(from: view)
            case .boolean: FieldValue.boolean(from: view)
            case .instant: FieldValue.instant(from: view)
            case .date: FieldValue.date(from: view)
            case .json, .customFields: try? CanonicalJSON.value(from: view)
            }
        if let value { return value }
        if kind == .decimal, FieldValue.hasTooManyDigits(view) { throw FieldFault(tooManyDigits: view, field: column) }
        throw FieldFault(field: column, view, isNot: kind.phrase)
    }
}

extension FieldFault {
    /// Says that a value is not what the field holds, and shows the value's beginning.
    fileprivate init(field: String, _ view: JSONView, isNot phrase: String) {
        self.init(field: field, reason: "\(Self.beginning(of: view)) is not \(phrase)")
    }

    fileprivate init(tooManyDigits view: JSONView, field: String) {
        self.init(
            field: field,
            reason: "\(Self.beginning(of: view)) has too many digits, more than \(FieldValue.maximumDigits)")
    }

    private static func beginning(of view: JSONView) -> String {
        String(decoding: view.bytes.prefix(60), as: UTF8.self) + (view.bytes.count > 60 ? "…" : "")
    }
}

extension Child.Source {
    fileprivate var phrase: String {
        switch self {
        case .object: "an object"
        case .array, .nested: "a list of objects"
        }
    }
}

extension Field.Kind {
    fileprivate var phrase: String {
        switch self {
        case .text: "text"
        case .integer: "a whole number"
        case .decimal: "a decimal number"
        case .boolean: "true or false"
        case .instant: "a time with its zone"
        case .date: "a date as YYYY-MM-DD"
        case .json: "an object or a list"
        case .customFields: "custom fields"
        }
    }
}
