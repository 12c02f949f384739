package import Catalog
import Database

/// How a record and its row stand to each other.
package enum Comparison: Sendable, Hashable {
    /// The row holds what the record says, or something newer.
    case same(hasDetail: Bool)
    /// The row may differ, or does not exist, or is marked as deleted.
    case suspect
}

extension Mirror {
    /// Compares records with their rows, and changes nothing.
    ///
    /// - Returns: the comparison of each record, by its id.
    package func compare(_ records: [MappedRecord], of mapping: EntityMapping) async throws -> [String: Comparison] {
        try await database.read { transaction in
            let states = try transaction.storedStates(of: records.map(\.id), mapping, isLocking: false)
            var comparisons: [String: Comparison] = [:]
            for record in records {
                let write = Write(record, mapping, stored: states[record.id])
                switch write.decision {
                case .insert, .compare, .restore: comparisons[record.id] = .suspect
                case .unchanged, .settle, .stale:
                    let state = states[record.id]
                    let isGone = state?.isDeleted ?? true
                    let hasDetail = state.map { $0.hasDetail && !$0.isDetailDue } ?? false
                    comparisons[record.id] = isGone ? .suspect : .same(hasDetail: hasDetail)
                }
            }
            return comparisons
        }
    }

    /// The ids of rows that are there, in the order of their rows, page by page.
    ///
    /// - Parameters:
    ///   - observedBefore: only rows of which Zoho last said something by then, in microseconds since 1970.
    ///   - after: only rows with a higher `id`.
    /// - Returns: the ids, and the last row's `id`; nil at the end.
    package func presentIDs(
        of mapping: EntityMapping, observedBefore: Int64, after: Int64, limit: Int
    ) async throws -> (ids: [String], last: Int64?) {
        try await database.read { transaction in
            let rows = try transaction.query(
                """
                select id, \(mapping.entity.keyColumn) from \(mapping.entity.name)
                where deleted_at is null and observed_at <= $1 and id > $2 order by id limit $3
                """, [.instant(observedBefore), .integer(after), .integer(Int64(limit))])
            return (rows.compactMap { $0.text(1) }, rows.last?.int(0))
        }
    }

    /// Those of some ids that have a row which is not marked as deleted.
    package func present(_ ids: [String], of mapping: EntityMapping) async throws -> Set<String> {
        guard !ids.isEmpty else { return [] }
        let key = mapping.entity.keyColumn
        return try await database.read { transaction in
            Set(
                try transaction.query(
                    """
                    select \(key) from \(mapping.entity.name)
                    where \(transaction.dialect.contains(key, "$1")) and deleted_at is null
                    """, [.texts(ids)]
                ).compactMap { $0.text(0) })
        }
    }
}
