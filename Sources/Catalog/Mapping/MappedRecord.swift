package import ZohoBooks

/// Which of its shapes a record came in.
package enum RecordShape: String, Sendable, Hashable, Codable {
    /// A row of a list: a summary.
    case list
    /// A record read by itself or delivered by a webhook: complete.
    case detail
}

/// What a record becomes in the mirror: one parent row and, from a detail record, its child rows.
package struct MappedRecord: Sendable {
    /// The Zoho id, as text.
    package let id: String
    package let shape: RecordShape
    /// What the record says for each of ``EntityMapping/columns``; nil where it does not say anything, which leaves the
    /// column as it is.
    package let cells: [FieldValue?]
    /// The rows for each of the entity's child tables; nil where the record says nothing of the table.
    package let children: [[ChildRow]?]
    /// For each child table the positions in ``Child/sources`` of those that the record does not mention: what they
    /// brought before stays.
    package let unsaid: [[Int]]
    /// When it was modified last, in microseconds since 1970, where the record says so.
    package let modifiedAt: Int64?
    /// When Zoho said it, in microseconds since 1970: the receipt of the answer or delivery.
    package let observedAt: Int64
    /// The values of optional fields that could not be read.
    package let faults: [FieldFault]
    /// The record as Zoho sent it.
    package let raw: RawJSON
}

/// One row of a child table, without its parent's id.
package struct ChildRow: Sendable, Hashable {
    /// The child's own Zoho id.
    package let key: String
    /// A value for each column of the child, in the order of ``EntityMapping/ChildMapping/columns``.
    package let cells: [FieldValue]

    package init(key: String, cells: [FieldValue]) {
        self.key = key
        self.cells = cells
    }
}

/// Why a record cannot become rows.
///
/// The record is kept whole as a dead letter.
package enum MappingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The record is not a JSON object.
    case notAnObject(String)
    /// The record has no id under any of the keys that the entity knows.
    case missingID(keys: [String])
    /// A value that the row cannot do without could not be read.
    case unreadable(FieldFault)

    package var description: String {
        switch self {
        case .notAnObject(let reason): "the record is not a JSON object: \(reason)"
        case .missingID(let keys): "the record has no \(keys.joined(separator: " or "))"
        case .unreadable(let fault): fault.description
        }
    }
}

extension MappedRecord {
    /// The record without what it says of some columns, which then stay as they are.
    package func leavingOut(_ isLeftOut: (Int) -> Bool) -> MappedRecord {
        MappedRecord(
            id: id, shape: shape, cells: cells.enumerated().map { isLeftOut($0) ? nil : $1 }, children: children,
            unsaid: unsaid, modifiedAt: modifiedAt, observedAt: observedAt, faults: faults, raw: raw)
    }

    /// The record without its time of modification, so that it is ordered by when Zoho said it.
    ///
    /// - Parameter modifiedColumn: where the time stands.
    package func withoutTime(_ modifiedColumn: Int) -> MappedRecord {
        MappedRecord(
            id: id, shape: shape, cells: cells.enumerated().map { $0 == modifiedColumn ? nil : $1 }, children: children,
            unsaid: unsaid, modifiedAt: nil, observedAt: observedAt, faults: faults, raw: raw)
    }

    /// The record with what another shape of it says of columns of which this one says nothing.
    ///
    /// - Parameters:
    ///   - said: what the other one says, by the position of the column.
    ///   - modifiedColumn: where the time of modification stands.
    package func completed(by said: [Int: FieldValue], modifiedColumn: Int) -> MappedRecord {
        let cells = cells.enumerated().map { $1 ?? said[$0] }
        var modifiedAt = modifiedAt
        if case .instant(let instant)? = cells[modifiedColumn] { modifiedAt = instant }
        return MappedRecord(
            id: id, shape: shape, cells: cells, children: children, unsaid: unsaid,
            modifiedAt: modifiedAt, observedAt: observedAt, faults: faults, raw: raw)
    }
}
