package import Catalog
import Database
package import ZohoBooks

extension Mirror {
    /// Marks records to be read again, unless they are marked already.
    ///
    /// - Parameter priority: whether the reserve of calls may be used for it.
    /// - Returns: how many were marked.
    package func mark(
        _ ids: [String], of mapping: EntityMapping, priority: CallPriority = .interactive
    ) async throws -> Int {
        let time = now()
        return try await database.write { transaction in
            let fresh = try transaction.withoutMarks(Set(ids), of: mapping.entity.name, priority)
            guard !fresh.isEmpty else { return 0 }
            let rowIDs = try transaction.reserveIDs(fresh.count, in: "sync_inbox")
            let rows = zip(rowIDs, fresh).map { rowID, id in
                Self.inboxRow(
                    id: rowID, entity: mapping.entity.name, .mark, zohoID: id, record: nil, receivedAt: time,
                    availableAt: time, requestID: nil, priority: priority)
            }
            try transaction.insert(rows, into: "sync_inbox", columns: Self.inboxColumns)
            try transaction.notify(Self.readingChannel)
            return fresh.count
        }
    }

    /// Those of some records that are marked to be read again.
    package func marked(_ ids: [String], of mapping: EntityMapping) async throws -> Set<String> {
        try await database.read { transaction in
            Set(
                try transaction.query(
                    """
                    select zoho_id from sync_inbox
                    where kind = 'mark' and entity = $1 and \(transaction.dialect.contains("zoho_id", "$2"))
                    """, [.text(mapping.entity.name), .texts(ids)]
                ).compactMap { $0.text(0) })
        }
    }
}
