import Catalog
import Database
import ZohoBooks

extension Application {
    /// Every column of the parent table but `id`, in the order in which rows are written.
    private var rowColumns: [String] {
        [mapping.entity.keyColumn] + mapping.columns.map(\.column) + EntityMapping.bookkeeping.map(\.name)
    }

    func insert(_ writes: [Write]) throws {
        guard !writes.isEmpty else { return }
        let table = mapping.entity.name
        // The database numbers rows by itself; only children have to know their parents' numbers.
        let saysChildren = writes.contains { $0.record.children.contains { $0 != nil } }
        let rowIDs = saysChildren ? try transaction.reserveIDs(writes.count, in: table) : []
        let hashes = writes.map(\.fingerprint.text)
        for (write, hash) in zip(writes, hashes) {
            log(change(.inserted, write.record.id, hash: hash, changes: nil))
        }
        let rows = writes.indices.lazy.map { [self] position in
            let record = writes[position].record
            return row(
                record, cells: record.cells, raw: record.raw, hash: hashes[position],
                detailSyncedAt: record.shape == .detail ? .instant(time) : .null,
                isDetailDue: record.shape == .list || !isFinal(record),
                leading: saysChildren ? [.integer(rowIDs[position])] : [])
        }
        try transaction.insert(rows, into: table, columns: (saysChildren ? ["id"] : []) + rowColumns)
        try replaceChildren(of: zip(rowIDs, writes).map { $1.childSet(of: $0) })
    }

    /// Compares candidates with their rows and writes those that differ.
    func update(_ writes: [Write]) throws -> [Outcome: Int] {
        guard !writes.isEmpty else { return [:] }
        var counts: [Outcome: Int] = [:]
        let before = try rows(of: writes.compactMap { $0.stored?.rowID })
        try expectChildrenSeen(of: writes.map(\.record))
        let childChanges = try replaceChildren(
            of: writes.compactMap { write in write.stored.map { write.childSet(of: $0.rowID) } })

        var updates: [(id: Int64, values: [SQLValue])] = []
        var hashes: [(id: Int64, values: [SQLValue])] = []
        for write in writes {
            guard let stored = write.stored, let old = before[stored.rowID] else { continue }
            let record = write.record
            var cells = old.cells
            var difference = RowDifference()
            for (position, said) in mapping.news(of: record, to: cells, hasDetail: stored.hasDetail) {
                difference.add(mapping.columns[position].column, before: cells[position], after: said)
                cells[position] = said
            }
            let children = childChanges[stored.rowID]
            for (table, rows) in children?.tables ?? [] {
                difference.add(table, before: rows.before, after: rows.after)
            }
            if stored.isDeleted { difference.addRestored(deletedAt: old.deletedAt) }

            let isFirstDetail = record.shape == .detail && !stored.hasDetail
            let fingerprint = mapping.fingerprint(cells, children: children?.hash ?? stored.fingerprint?.children ?? 0)
            let hash = fingerprint.text
            guard !difference.isEmpty || isFirstDetail else {
                let isWrong = stored.fingerprint != fingerprint || stored.lacksRecord
                if record.shape == .detail, stored.isDetailDue || isWrong || renews(write) {
                    updates.append((stored.rowID, row(for: write, cells: cells, old: old, hash: hash)))
                } else if hash != stored.fingerprint?.text {
                    // Written by a version with other columns: put right once, it spares the next comparison.
                    hashes.append((stored.rowID, [.text(hash)]))
                }
                counts[.unchanged, default: 0] += 1
                continue
            }
            updates.append((stored.rowID, row(for: write, cells: cells, old: old, hash: hash)))
            if !difference.isEmpty {
                if origin.isDelivery, write.mayBeOvertaken(by: try lookedAt()) { contested.insert(record.id) }
                log(
                    change(
                        stored.isDeleted ? .restored : .updated, record.id, hash: hash, changes: difference.json))
            }
            counts[stored.isDeleted ? .restored : .updated, default: 0] += 1
        }
        let table = mapping.entity.name
        let updated = try transaction.update(updates, in: table, columns: rowColumns)
        try expect(updated, of: updates.count, in: table)
        try transaction.update(hashes, in: table, columns: ["content_hash"])
        return counts
    }

    /// The ids of those records that say something else than their rows hold.
    func different(_ writes: [Write]) throws -> [String] {
        guard !writes.isEmpty else { return [] }
        let rows = try rows(of: writes.compactMap { $0.stored?.rowID })
        return writes.compactMap { write in
            guard let stored = write.stored, let row = rows[stored.rowID] else { return nil }
            let children = stored.fingerprint?.children
            let isSame =
                mapping.news(of: write.record, to: row.cells, hasDetail: stored.hasDetail).isEmpty
                && (write.childHash ?? children) == children
            return isSame ? nil : write.record.id
        }
    }

    private func row(for write: Write, cells: [FieldValue], old: OldRow, hash: String) -> [SQLValue] {
        let record = write.record
        let isDetail = record.shape == .detail
        let hasDetail = write.stored?.hasDetail ?? false
        let isDue =
            isDetail
            ? !isFinal(record) : !hasDetail || (write.stored?.isDetailDue ?? true) || outdatesDetail(write)
        return row(
            record, cells: cells,
            raw: isDetail || !hasDetail ? record.raw : old.raw.overlaid(with: record.raw), hash: hash,
            detailSyncedAt: isDetail ? .instant(time) : old.detailSyncedAt, isDetailDue: isDue, leading: [])
    }

    /// Whether a list's record that changes the row shows that its detail has changed too.
    private func outdatesDetail(_ write: Write) -> Bool {
        // A change that moves no time is complete in the list where it is a balance. Where it is stock, the places where
        // that lies are worth their share of a call.
        guard mapping.entity.module.detail.size == 1, let modifiedAt = write.record.modifiedAt else { return true }
        guard modifiedAt == write.stored?.modifiedAt else { return true }
        // It may as well be a second edit in the second of the one that the detail tells.
        return write.stored?.detailSyncedAt.map { $0 - modifiedAt < Write.overtakingWindow } ?? true
    }

    /// Whether no edit can follow that has the record's own time, which Zoho tells in whole seconds.
    ///
    /// What a delivery brings is followed by another delivery.
    func isFinal(_ record: MappedRecord) -> Bool {
        // The record's own time counts here even where it does not order it.
        guard case .run = origin, let modifiedAt = record.modifiedAt ?? mapping.modifiedAt(of: record.raw) else {
            return true
        }
        return record.observedAt - modifiedAt >= Self.unsettled
    }

    /// The second itself, and one for clocks that differ, in microseconds.
    private static let unsettled: Int64 = 2_000_000

    private func row(
        _ record: MappedRecord, cells: [FieldValue?], raw: RawJSON, hash: String, detailSyncedAt: SQLValue,
        isDetailDue: Bool, leading: [SQLValue]
    ) -> [SQLValue] {
        var values = leading
        values.reserveCapacity(leading.count + cells.count + 8)
        values.append(.text(record.id))
        for cell in cells { values.append(cell.map { SQLValue($0) } ?? .null) }
        values.append(.json(raw.storable.bytes))
        values.append(detailSyncedAt)
        values.append(.boolean(isDetailDue))
        values.append(.instant(record.observedAt))
        values.append(.instant(time))
        values.append(.null)
        values.append(.text(hash))
        return values
    }

    /// A row as it is before an update.
    struct OldRow {
        let cells: [FieldValue]
        let raw: RawJSON
        let detailSyncedAt: SQLValue
        let deletedAt: Int64?
    }

    func rows(of rowIDs: [Int64]) throws -> [Int64: OldRow] {
        let columns = mapping.columns
        let rows = try transaction.query(
            """
            select id, zoho_data, detail_synced_at, deleted_at, \(columns.map(\.column).joined(separator: ", "))
            from \(mapping.entity.name) where \(transaction.dialect.contains("id", "$1"))
            """, [.integers(rowIDs)])
        var result: [Int64: OldRow] = [:]
        for row in rows {
            guard let rowID = row.int(0) else { continue }
            result[rowID] = OldRow(
                cells: columns.enumerated().map { row.fieldValue($0 + 4, $1.kind) },
                raw: RawJSON(row.json(1) ?? ArraySlice("{}".utf8)),
                detailSyncedAt: row.instant(2).map { .instant($0) } ?? .null, deletedAt: row.instant(3))
        }
        return result
    }

    // MARK: - The change log

    func change(_ kind: Outcome, _ id: String, hash: String, changes: [UInt8]?) -> [SQLValue] {
        let delivery = origin.delivery(of: id)
        return [
            .text(mapping.entity.name), .text(id), .text(kind.rawValue), .instant(time),
            origin.runID.map { .integer($0) } ?? .null, delivery.map { .integer($0.id) } ?? .null,
            .text(hash), changes.map { .json($0[...]) } ?? .null, delivery?.requestID.map { .text($0) } ?? .null,
        ]
    }

    static let changeColumns = [
        "entity", "zoho_id", "kind", "changed_at", "run_id", "delivery_id", "content_hash", "changes", "request_id",
    ]
}

extension EntityMapping {
    /// What a record says that its row does not hold, by the position of the column.
    ///
    /// - Parameter hasDetail: whether a detail record was applied to the row, so that a list's preview counts no more.
    func news(
        of record: MappedRecord, to cells: [FieldValue], hasDetail: Bool
    ) -> [(position: Int, said: FieldValue)] {
        columns.enumerated().compactMap { position, column in
            guard let said = record.cells[position], said != cells[position] else { return nil }
            if column.presence == .preview, record.shape == .list, hasDetail { return nil }
            return (position, said)
        }
    }
}

extension RecordChange {
    /// Reads an entry of the change log on its way there.
    init?(_ entry: [SQLValue]) {
        guard case .text(let id) = entry[1], case .text(let kind) = entry[2], let outcome = Outcome(rawValue: kind)
        else { return nil }
        var fields: [String] = []
        if case .json(let bytes) = entry[7] { fields = Change.fields(of: RawJSON(bytes)) }
        self.init(zohoID: id, outcome: outcome, fields: fields)
    }
}
