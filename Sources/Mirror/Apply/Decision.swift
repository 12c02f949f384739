import Catalog
import Database

/// What the mirror knows of a row before a record of the same id is applied.
struct StoredState: Sendable {
    let rowID: Int64
    let fingerprint: Fingerprint?
    let modifiedAt: Int64?
    let observedAt: Int64
    /// When a detail record was applied last; nil where none was.
    let detailSyncedAt: Int64?
    let isDetailDue: Bool
    let isDeleted: Bool
    /// Whether what Zoho sent is not there, because a run that wrote it was taken back.
    var lacksRecord = false

    var hasDetail: Bool { detailSyncedAt != nil }
}

/// What to do with a record, before the row itself has been looked at.
enum Decision: Sendable, Hashable {
    case insert
    /// The content hash says that the row already holds what the record says.
    case unchanged
    /// The same, but a detail record settles that none is outstanding.
    case settle
    case stale
    /// Something may differ: compare with the row's columns.
    case compare
    /// The row was marked deleted and the record is newer.
    case restore

    /// Orders by the source's time, then by when Zoho said it, never by arrival.
    ///
    /// Zoho's clock has steps of one second and some changes do not move it, so equal times with other content are
    /// normal and the later observation wins.
    ///
    /// - Parameters:
    ///   - summary: the record's own hash over the columns that a list record says.
    ///   - detail: the record's own hash over the other columns.
    ///   - children: the hash over its child rows, nil where it does not say all of them.
    ///   - saysChildren: whether it says some of them.
    static func on(
        _ record: MappedRecord, summary: UInt64, detail: UInt64, children: UInt64?, saysChildren: Bool,
        stored: StoredState?
    ) -> Decision {
        guard let stored else { return .insert }
        if stored.isDeleted {
            // A deletion is a tombstone: only what Zoho said after it brings the row back, whatever its time.
            return record.observedAt > stored.observedAt ? .restore : .stale
        }
        if let recordTime = record.modifiedAt, let storedTime = stored.modifiedAt, recordTime != storedTime {
            if recordTime < storedTime { return .stale }
        } else if record.observedAt < stored.observedAt {
            return .stale
        }
        guard let fingerprint = stored.fingerprint, fingerprint.summary == summary else { return .compare }
        switch record.shape {
        case .list:
            return stored.hasDetail || fingerprint.detail == detail ? .unchanged : .compare
        case .detail:
            guard stored.hasDetail, fingerprint.detail == detail, !saysChildren || children == fingerprint.children
            else { return .compare }
            if stored.lacksRecord { return .compare }
            return stored.isDetailDue ? .settle : .unchanged
        }
    }
}

extension SQLTransaction {
    /// What the mirror holds of some records, by their ids.
    ///
    /// - Parameter isLocking: whether the rows stay locked until the transaction ends.
    func storedStates(of ids: [String], _ mapping: EntityMapping, isLocking: Bool) throws -> [String: StoredState] {
        let entity = mapping.entity
        let rows = try query(
            """
            select id, \(entity.keyColumn), content_hash, zoho_modified_at, observed_at, detail_synced_at, detail_due,
                deleted_at, zoho_data is null
            from \(entity.name)
            where \(dialect.contains(entity.keyColumn, "$1"))\(isLocking ? dialect.forUpdate : "")
            """, [.texts(ids)])
        var states: [String: StoredState] = [:]
        states.reserveCapacity(rows.count)
        for row in rows {
            guard let rowID = row.int(0), let key = row.text(1), let observedAt = row.instant(4) else { continue }
            states[key] = StoredState(
                rowID: rowID, fingerprint: row.text(2).flatMap { Fingerprint($0) }, modifiedAt: row.instant(3),
                observedAt: observedAt, detailSyncedAt: row.instant(5), isDetailDue: row.bool(6) ?? false,
                isDeleted: row.instant(7) != nil, lacksRecord: row.bool(8) ?? false)
        }
        return states
    }
}
