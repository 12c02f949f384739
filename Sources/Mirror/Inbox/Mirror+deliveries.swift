package import Catalog
import Database
package import ZohoBooks

extension Mirror {
    /// Applies records that were delivered and takes them out of the inbox, in one transaction.
    ///
    /// Of several deliveries of one record the newest counts. Where nobody can tell which is the newest, the record is
    /// marked to be read again.
    package func apply(_ entries: [InboxEntry], of mapping: EntityMapping) async throws -> ApplyResult {
        // The later one's reference stays: it is the one that counts where times do not tell.
        let references = Dictionary(entries.map { ($0.zohoID, $0.reference) }, uniquingKeysWith: { $1 })
        var batch = Batch(mapping, origin: .deliveries(references))
        for entry in entries {
            if let record = entry.record { batch.add(record, shape: .detail, observedAt: entry.receivedAt) }
        }
        let time = now()
        return try await apply(batch) { transaction, result in
            try transaction.removeFromInbox(entries.map(\.id))
            let contested = try transaction.withoutMarks(result.contested, of: mapping.entity.name)
            guard !contested.isEmpty else { return }
            let ids = try transaction.reserveIDs(contested.count, in: "sync_inbox")
            let rows = zip(ids, contested).map { id, zohoID in
                Self.inboxRow(
                    id: id, entity: mapping.entity.name, .mark, zohoID: zohoID, record: nil, receivedAt: time,
                    availableAt: time + Self.gatheringTime, requestID: references[zohoID]?.requestID)
            }
            try transaction.insert(rows, into: "sync_inbox", columns: Self.inboxColumns)
        }
    }

    /// Applies records that were read because entries of the inbox asked for it, marks those that are gone, and takes
    /// the entries out of the inbox.
    ///
    /// - Parameters:
    ///   - records: what Zoho gave, with the time of its answer in microseconds since 1970.
    ///   - gone: the ids that Zoho says do not exist.
    ///   - goneAt: when it said so.
    package func apply(
        _ records: [(record: RawJSON, observedAt: Int64)], gone: [String], goneAt: Int64, for entries: [InboxEntry],
        of mapping: EntityMapping
    ) async throws -> ApplyResult {
        let references = Dictionary(entries.map { ($0.zohoID, $0.reference) }, uniquingKeysWith: { $1 })
        try await keepTombstones(of: gone, entries, mapping, references)
        var batch = Batch(mapping, origin: .reading(references))
        for (record, observedAt) in records { batch.add(record, shape: .detail, observedAt: observedAt) }
        let isGone = Set(gone)
        let done = entries.filter { !isGone.contains($0.zohoID) }.map(\.id)
        var result = try await apply(batch) { transaction, _ in try transaction.removeFromInbox(done) }
        guard !gone.isEmpty else { return result }
        let finished = entries.filter { isGone.contains($0.zohoID) }.map(\.id)
        let deleted = try await markDeleted(gone, of: mapping, observedAt: goneAt, origin: batch.origin) {
            try $0.removeFromInbox(finished)
        }
        result.count(.deleted, deleted)
        result.count(.unchanged, gone.count - deleted)
        return result
    }

    /// A record that came into being and went before the mirror saw it gets a row from its deletion's body: without one,
    /// a late delivery of its creation would bring it to life.
    private func keepTombstones(
        of gone: [String], _ entries: [InboxEntry], _ mapping: EntityMapping, _ references: [String: DeliveryReference]
    ) async throws {
        let isGone = Set(gone)
        let bodies = entries.filter { $0.record != nil && isGone.contains($0.zohoID) }
        guard !bodies.isEmpty else { return }
        let entity = mapping.entity
        let known = try await database.read { transaction in
            try transaction.query(
                """
                select \(entity.keyColumn) from \(entity.name)
                where \(transaction.dialect.contains(entity.keyColumn, "$1"))
                """, [.texts(bodies.map(\.zohoID))]
            ).compactMap { $0.text(0) }
        }
        var batch = Batch(mapping, origin: .reading(references))
        for entry in bodies where !known.contains(entry.zohoID) {
            if let record = entry.record, (try? mapping.owns(record)) == true {
                batch.add(record, shape: .detail, observedAt: entry.receivedAt)
            }
        }
        if !batch.records.isEmpty { _ = try await apply(batch) }
    }
}

extension SQLTransaction {
    /// Those of some records for which no mark waits yet.
    func withoutMarks(_ ids: Set<String>, of entity: String) throws -> [String] {
        guard !ids.isEmpty else { return [] }
        let marked = try query(
            """
            select zoho_id from sync_inbox
            where kind = 'mark' and entity = $1 and \(dialect.contains("zoho_id", "$2")) and claimed_by is null
            """, [.text(entity), .texts(ids.sorted())]
        ).compactMap { $0.text(0) }
        return ids.subtracting(marked).sorted()
    }
}
