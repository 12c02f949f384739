package import Catalog
import Database

/// How a list's record compares with its row.
package enum Comparison: Sendable, Hashable {
    /// The row's columns hold what the record says.
    case same(Detail)
    /// The row differs, does not exist, or is marked as deleted; `said` is what it does not hold, by the position of
    /// the column.
    case suspect(said: [Int: FieldValue])

    /// What the mirror has of the complete record.
    package enum Detail: Sendable, Hashable {
        case present
        /// It was read in the second of the last change that is known, and another change may have followed.
        case unsettled
        /// It is known to have changed since.
        case outdated
        /// None was ever read.
        case lacking
    }
}

extension Mirror {
    /// Compares records with the columns of their rows, and changes nothing.
    ///
    /// The content hash is left out of it: it says what a row held when it was written, not what it holds.
    ///
    /// - Returns: the comparison of each record, by its id.
    package func compare(_ records: [MappedRecord], of mapping: EntityMapping) async throws -> [String: Comparison] {
        let rows = try await listedRows(records.map(\.id), of: mapping)
        var comparisons: [String: Comparison] = [:]
        for record in records {
            guard let row = rows[record.id] else {
                comparisons[record.id] = .suspect(said: [:])
                continue
            }
            var said: [Int: FieldValue] = [:]
            for (position, value) in mapping.news(of: record, to: row.cells, hasDetail: row.hasDetail) {
                said[position] = value
            }
            comparisons[record.id] =
                said.isEmpty && !row.isDeleted
                ? .same(row.detail(modifiedAt: row.cells[mapping.modifiedColumn])) : .suspect(said: said)
        }
        return comparisons
    }

    private struct ListedRow {
        let cells: [FieldValue]
        /// In microseconds since 1970.
        let detailSyncedAt: Int64?
        let isDetailDue: Bool
        let isDeleted: Bool

        var hasDetail: Bool { detailSyncedAt != nil }

        func detail(modifiedAt: FieldValue) -> Comparison.Detail {
            guard let detailSyncedAt else { return .lacking }
            guard isDetailDue else { return .present }
            if case .instant(let time) = modifiedAt, time <= detailSyncedAt { return .unsettled }
            return .outdated
        }
    }

    /// Rows without what Zoho sent, which is most of a row.
    private func listedRows(_ ids: [String], of mapping: EntityMapping) async throws -> [String: ListedRow] {
        let (entity, columns) = (mapping.entity, mapping.columns)
        return try await database.read { transaction in
            let rows = try transaction.query(
                """
                select \(entity.keyColumn), detail_synced_at, detail_due, deleted_at,
                    \(columns.map(\.column).joined(separator: ", "))
                from \(entity.name) where \(transaction.dialect.contains(entity.keyColumn, "$1"))
                """, [.texts(ids)])
            var listed: [String: ListedRow] = [:]
            listed.reserveCapacity(rows.count)
            for row in rows {
                guard let key = row.text(0) else { continue }
                listed[key] = ListedRow(
                    cells: columns.enumerated().map { row.fieldValue($0 + 4, $1.kind) },
                    detailSyncedAt: row.instant(1), isDetailDue: row.bool(2) ?? false,
                    isDeleted: row.instant(3) != nil)
            }
            return listed
        }
    }

    /// The ids of rows that are there, in the order of their rows, page by page.
    ///
    /// - Parameters:
    ///   - observedBefore: only rows of which Zoho last said something by then, in microseconds since 1970, or in the
    ///     future, which cannot be.
    ///   - after: only rows with a higher `id`.
    /// - Returns: the ids, and the last row's `id`; nil at the end.
    package func presentIDs(
        of mapping: EntityMapping, observedBefore: Int64, after: Int64, limit: Int
    ) async throws -> (ids: [String], last: Int64?) {
        let time = now()
        return try await database.read { transaction in
            let rows = try transaction.query(
                """
                select id, \(mapping.entity.keyColumn) from \(mapping.entity.name)
                where deleted_at is null and (observed_at <= $1 or observed_at > $4) and id > $2 order by id limit $3
                """, [.instant(observedBefore), .integer(after), .integer(Int64(limit)), .instant(time)])
            return (rows.compactMap { $0.text(1) }, rows.last?.int(0))
        }
    }

    // MARK: - Details, row by row

    /// The `id` of the entity's last row; 0 where there is none.
    package func lastRow(of mapping: EntityMapping) async throws -> Int64 {
        try await database.read { transaction in
            try transaction.query("select max(id) from \(mapping.entity.name)").first?.int(0) ?? 0
        }
    }

    /// The rows that are there and lack no detail, in the order of their rows.
    ///
    /// - Parameters:
    ///   - after: only rows with a higher `id`.
    ///   - through: the highest `id`.
    package func detailedRows(
        of mapping: EntityMapping, after: Int64, through: Int64, limit: Int
    ) async throws -> [(id: Int64, zohoID: String)] {
        try await database.read { transaction in
            try transaction.query(
                """
                select id, \(mapping.entity.keyColumn) from \(mapping.entity.name)
                where \(Self.isDetailed) order by id limit $4
                """,
                [.integer(after), .integer(through), .boolean(false), .integer(Int64(limit))]
            ).compactMap { row in
                guard let id = row.int(0), let zohoID = row.text(1) else { return nil }
                return (id, zohoID)
            }
        }
    }

    /// How many ``detailedRows(of:after:through:limit:)`` there are.
    package func detailedRowCount(of mapping: EntityMapping, after: Int64, through: Int64) async throws -> Int {
        try await database.read { transaction in
            try transaction.query(
                "select count(*) from \(mapping.entity.name) where \(Self.isDetailed)",
                [.integer(after), .integer(through), .boolean(false)]
            ).first?.int(0).map { Int($0) } ?? 0
        }
    }

    private static let isDetailed = """
        id > $1 and id <= $2 and deleted_at is null and detail_synced_at is not null and detail_due = $3
        """

    // MARK: - What is there

    /// The subset of these ids that has a row which is not marked as deleted.
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
