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
            let number = try transaction.mark(Set(ids), of: mapping, priority, time: time)
            guard number > 0 else { return 0 }
            try transaction.notify(Self.readingChannel)
            return number
        }
    }

    /// The subset of these ids that is marked to be read again.
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

extension SQLTransaction {
    /// Marks records to be read again, unless marks that are as urgent wait already.
    ///
    /// - Parameters:
    ///   - time: the present, in microseconds since 1970.
    ///   - delay: microseconds that the marks wait, so that several share a call.
    ///   - requestID: the request that brought it about.
    /// - Returns: how many were marked.
    func mark(
        _ ids: Set<String>, of mapping: EntityMapping, _ priority: CallPriority, time: Int64, delay: Int64 = 0,
        requestID: (String) -> String? = { _ in nil }
    ) throws -> Int {
        let unmarked = try withoutMarks(ids, of: mapping.entity.name, priority)
        guard !unmarked.isEmpty else { return 0 }
        let rows = zip(try reserveIDs(unmarked.count, in: "sync_inbox"), unmarked).map { rowID, id in
            Mirror.inboxRow(
                id: rowID, entity: mapping.entity.name, .mark, zohoID: id, record: nil, receivedAt: time,
                availableAt: time + delay, requestID: requestID(id), priority: priority)
        }
        try insert(rows, into: "sync_inbox", columns: Mirror.inboxColumns)
        return unmarked.count
    }

    /// The subset of these ids for which no mark that is as urgent waits yet.
    private func withoutMarks(_ ids: Set<String>, of entity: String, _ priority: CallPriority) throws -> [String] {
        guard !ids.isEmpty else { return [] }
        let marked = try query(
            """
            select zoho_id from sync_inbox
            where kind = 'mark' and entity = $1 and \(dialect.contains("zoho_id", "$2")) and claimed_by is null
                and priority in ('interactive', $3)
            """, [.text(entity), .texts(ids.sorted()), .text(priority.rawValue)]
        ).compactMap { $0.text(0) }
        return ids.subtracting(marked).sorted()
    }
}
