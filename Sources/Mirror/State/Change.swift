import Database
package import ZohoBooks

/// One entry of the mirror's ordered log.
package struct Change: Sendable, Hashable {
    /// Ascending in commit order: a reader that has seen a number never misses a smaller one, nor gets one twice.
    ///
    /// Numbers are left out where a machine has failed; see ``SQLTransaction/lockNumbering()``.
    package let id: Int64
    package let entity: String
    package let zohoID: String
    /// `inserted`, `updated`, `deleted` or `restored`.
    package let kind: String
    /// Microseconds since 1970.
    package let changedAt: Int64
    /// The run that brought it; nil where a delivery did.
    package let runID: Int64?
    /// The inbox entry that brought it; nil where a run did.
    package let deliveryID: Int64?
    /// The request that brought the delivery.
    package let requestID: String?
    /// The row's hash afterwards.
    package let contentHash: String
    /// Each changed column and child table, before and after; nil for an insertion.
    package let changes: RawJSON?

    /// The names of the changed columns and child tables; empty for an insertion.
    package var fields: [String] { changes.map { Self.fields(of: $0) } ?? [] }

    static func fields(of changes: RawJSON) -> [String] {
        var fields: [String] = []
        try? changes.read { view in
            try view.members { key, _ in fields.append(try JSONView.text(ofKey: key)) }
        }
        return fields
    }
}

/// A part of the change log.
package struct ChangePage: Sendable {
    /// In the order of the log; those of the asked entity alone, where one was asked for.
    package let changes: [Change]
    /// The number after which to continue: up to it there is nothing more to read.
    package let last: Int64
}

extension Mirror {
    /// The channel on which readers of the change log are woken.
    package static let changeChannel = "changes"

    /// Entries of the change log in their order.
    ///
    /// - Parameter after: only entries with a higher number.
    package func changes(after: Int64, limit: Int) async throws -> [Change] {
        try await changePage(after: after, limit: limit).changes
    }

    /// The next part of the change log for a follower.
    ///
    /// - Parameters:
    ///   - after: only entries with a higher number.
    ///   - entity: only entries of this entity; nil for all.
    package func changePage(after: Int64, entity: String? = nil, limit: Int) async throws -> ChangePage {
        try await database.read { transaction in
            // Asked first: numbers are given in the order of commits, so that all up to this one are there to be read.
            let newest = try transaction.query("select max(id) from sync_changes").first?.int(0) ?? 0
            let changes = try transaction.query(
                // Where the entity is given the index over both serves; one condition for both cases would keep it out.
                """
                \(Self.changeColumns) where id > $1 and id <= $3\(entity == nil ? "" : " and entity = $4")
                order by id limit $2
                """,
                [.integer(after), .integer(Int64(limit)), .integer(newest)] + (entity.map { [.text($0)] } ?? [])
            ).compactMap { Change($0) }
            let last = changes.count == limit ? changes.last?.id : newest
            return ChangePage(changes: changes, last: max(after, last ?? 0))
        }
    }

    /// The newest entries of the change log, in their order.
    package func newestChanges(entity: String? = nil, limit: Int) async throws -> [Change] {
        try await database.read { transaction in
            try transaction.query(
                "\(Self.changeColumns)\(entity == nil ? "" : " where entity = $2") order by id desc limit $1",
                [.integer(Int64(limit))] + (entity.map { [.text($0)] } ?? [])
            ).reversed().compactMap { Change($0) }
        }
    }

    private static let changeColumns = """
        select id, entity, zoho_id, kind, changed_at, run_id, delivery_id, content_hash, changes, request_id
        from sync_changes
        """

    /// Up to which number entries have been removed that come after one that a follower has seen; nil where all are
    /// there.
    package func removedChanges(after: Int64) async throws -> Int64? {
        let removed = try await database.read { try $0.removedChanges() }
        return removed > after ? removed : nil
    }

    /// Makes sure that a follower that has seen a number can continue with the next one.
    ///
    /// - Throws: ``MirrorError/changesRemoved(after:through:last:)`` where what came next is gone,
    ///   ``MirrorError/changesUnknown(after:last:)`` where the mirror has never given such a number.
    package func checkChanges(after: Int64) async throws {
        try await database.read { transaction in
            let last = try transaction.query("select max(id) from sync_changes").first?.int(0) ?? 0
            let removed = try transaction.removedChanges()
            if removed > after {
                throw MirrorError.changesRemoved(after: after, through: removed, last: max(removed, last))
            }
            // After a failure of the machine numbers are left out that followers may have seen.
            guard try after > max(last, transaction.lastNumber(in: "sync_changes")) else { return }
            throw MirrorError.changesUnknown(after: after, last: max(removed, last))
        }
    }

    /// The number of the newest entry, one that has been removed since included; 0 where there never was one.
    package func lastChangeID() async throws -> Int64 {
        try await database.read { transaction in
            let last = try transaction.query("select max(id) from sync_changes").first?.int(0) ?? 0
            return max(last, try transaction.removedChanges())
        }
    }
}

extension SQLTransaction {
    /// The highest number of an entry that was removed, 0 where none was.
    fileprivate func removedChanges() throws -> Int64 {
        try query("select removed_through from sync_numbering").first?.int(0) ?? 0
    }

    /// Notes that entries were removed.
    func noteRemovedChanges(_ ids: [Int64]) throws {
        guard let last = ids.max() else { return }
        try execute("update sync_numbering set removed_through = $1 where removed_through < $1", [.integer(last)])
    }
}

extension Change {
    fileprivate init?(_ row: SQLRow) {
        guard let id = row.int(0), let entity = row.text(1), let zohoID = row.text(2), let kind = row.text(3),
            let changedAt = row.instant(4), let hash = row.text(7)
        else { return nil }
        self.init(
            id: id, entity: entity, zohoID: zohoID, kind: kind, changedAt: changedAt, runID: row.int(5),
            deliveryID: row.int(6), requestID: row.text(9), contentHash: hash,
            changes: row.json(8).map { RawJSON($0) })
    }
}
