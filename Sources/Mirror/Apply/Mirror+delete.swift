package import Catalog
package import Database

extension Mirror {
    /// Marks records as deleted that are confirmed to be gone at the source.
    ///
    /// Their rows stay.
    ///
    /// - Parameter observedAt: when Zoho said that they are gone, in microseconds since 1970. A row that was confirmed
    ///   to exist later than that is left alone.
    /// - Returns: how many rows were marked; those that are marked already or unknown are not counted.
    @discardableResult
    package func markDeleted(
        _ ids: [String], of mapping: EntityMapping, observedAt: Int64, origin: Origin,
        alongside: @escaping @Sendable (any SQLTransaction) throws -> Void = { _ in }
    ) async throws -> Int {
        let time = now()
        return try await database.write { transaction in
            try alongside(transaction)
            // What could not be applied of them matters no more.
            try transaction.resolveDeadLetters(of: mapping.entity.name, ids: ids, readAt: observedAt, time: time)
            let entity = mapping.entity
            let application = Application(Batch(mapping, origin: origin), transaction, time: time)
            let rows = try transaction.query(
                """
                select id, \(entity.keyColumn), content_hash from \(entity.name)
                where \(transaction.dialect.contains(entity.keyColumn, "$1")) and deleted_at is null
                    and observed_at <= $2\(transaction.dialect.forUpdate)
                """, [.texts(ids), .instant(observedAt)])
            guard !rows.isEmpty else { return 0 }
            try transaction.execute(
                """
                update \(entity.name) set deleted_at = $1, observed_at = $2, synced_at = $1, detail_due = $3
                where \(transaction.dialect.contains("id", "$4"))
                """, [.instant(time), .instant(observedAt), .boolean(false), .integers(rows.compactMap { $0.int(0) })])
            for row in rows {
                var document = ChangeDocument()
                document.addDeleted(at: time)
                application.log(
                    application.change(.deleted, row.text(1) ?? "", hash: row.text(2) ?? "", changes: document.json))
            }
            try application.writeLog()
            return rows.count
        }
    }
}
