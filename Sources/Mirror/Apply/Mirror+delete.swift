package import Catalog
import Database

extension Mirror {
    /// Marks records as deleted that are confirmed to be gone at the source.
    ///
    /// Their rows stay.
    ///
    /// - Parameter observedAt: when Zoho said that they are gone, in microseconds since 1970. A row that was confirmed
    ///   to exist later than that is left alone; one that was confirmed later than now is not.
    /// - Returns: how many rows were marked; those that are marked already or unknown are not counted.
    @discardableResult
    package func markDeleted(
        _ ids: [String], of mapping: EntityMapping, observedAt: Int64, origin: Origin
    ) async throws -> Int {
        let time = now()
        return try await database.write { transaction in
            let application = Application(Batch(mapping, origin: origin), transaction, time: time)
            let number = try application.markDeleted(ids, observedAt: observedAt).marked
            try application.writeLog()
            return number
        }
    }
}

extension Application {
    /// Marks rows as deleted and leaves the change log to be written.
    ///
    /// - Returns: how many were marked, and the ids of rows that were confirmed to exist later.
    func markDeleted(_ ids: [String], observedAt: Int64) throws -> (marked: Int, contradicted: Set<String>) {
        let entity = mapping.entity
        let rows = try transaction.query(
            """
            select id, \(entity.keyColumn), content_hash, observed_at from \(entity.name)
            where \(transaction.dialect.contains(entity.keyColumn, "$1"))
                and deleted_at is null\(transaction.dialect.forUpdate)
            """, [.texts(ids)])
        let contradicted = Set(
            rows.filter { row in row.instant(3).map { $0 > observedAt && $0 <= time } ?? false }.compactMap {
                $0.text(1)
            })
        let gone = rows.filter { !contradicted.contains($0.text(1) ?? "") }
        // What could not be applied of them matters no more.
        try transaction.resolveDeadLetters(
            of: entity.name, ids: ids.filter { !contradicted.contains($0) }, readAt: observedAt, time: time)
        guard !gone.isEmpty else {
            try expectDeleted(ids, observedAt: observedAt)
            return (0, contradicted)
        }
        try transaction.execute(
            """
            update \(entity.name) set deleted_at = $1, observed_at = $2, synced_at = $1, detail_due = $3
            where \(transaction.dialect.contains("id", "$4"))
            """, [.instant(time), .instant(observedAt), .boolean(false), .integers(gone.compactMap { $0.int(0) })])
        try expectDeleted(ids, observedAt: observedAt)
        for row in gone {
            var difference = RowDifference()
            difference.addDeleted(at: time)
            log(change(.deleted, row.text(1) ?? "", hash: row.text(2) ?? "", changes: difference.json))
        }
        return (gone.count, contradicted)
    }
}
