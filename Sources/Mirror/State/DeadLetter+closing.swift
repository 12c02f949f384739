import Catalog
import Database
import ZohoBooks

extension SQLTransaction {
    /// The ids of the letters that are open.
    ///
    /// - Parameter condition: which of them, of one value as `$1`.
    func openDeadLetters(where condition: String = "true", _ value: SQLValue? = nil) throws -> [Int64] {
        try query(
            "select id from sync_dead_letters where state = 'open' and \(condition)", value.map { [$0] } ?? []
        ).compactMap { $0.int(0) }
    }

    /// Closes letters; those that are closed already stay as they are.
    ///
    /// Every letter that is closed is closed here.
    ///
    /// - Parameter reason: why, where the state does not say it.
    /// - Returns: how many were open.
    @discardableResult
    func closeDeadLetters(
        _ ids: [Int64], _ state: DeadLetter.State, reason: String? = nil, time: Int64
    ) throws -> Int {
        guard !ids.isEmpty else { return 0 }
        return try execute(
            """
            update sync_dead_letters set state = $1, closed_at = $2, close_reason = $3
            where state = 'open' and \(dialect.contains("id", "$4"))
            """, [.text(state.rawValue), .instant(time), reason.map { .text($0) } ?? .null, .integers(ids)])
    }

    /// Closes the letters of records that were applied after all.
    ///
    /// A summary does not bring what a complete record was refused for, and what Zoho said before the letter proves
    /// nothing.
    ///
    /// - Parameter isRead: whether Zoho was asked for the records, so that the deliveries before which could not be
    ///   read matter no more.
    func resolveDeadLetters(of entity: String, by records: [MappedRecord], isRead: Bool, time: Int64) throws {
        let byID = Dictionary(records.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        let settled = try query(
            """
            select id, zoho_id, shape, observed_at from sync_dead_letters
            where entity = $1 and state = 'open' and (\(dialect.contains("identity", "$2"))
                or (shape = 'delivery' and \(dialect.contains("zoho_id", "$2"))))
            """, [.text(entity), .texts(records.map(\.id))]
        ).filter { row in
            guard let record = row.text(1).flatMap({ byID[$0] }), let form = row.text(2).flatMap(DeadLetter.Form.init),
                let observedAt = row.instant(3), record.observedAt >= observedAt
            else { return false }
            return form == .delivery ? isRead : form == .list || record.shape == .detail
        }
        try closeDeadLetters(settled.compactMap { $0.int(0) }, .resolved, time: time)
    }

    /// Closes the letters of records that are gone.
    ///
    /// - Parameter readAt: when Zoho was asked for them, in microseconds since 1970, so that the deliveries before
    ///   which could not be read matter no more.
    func resolveDeadLetters(of entity: String, ids: [String], readAt: Int64, time: Int64) throws {
        let gone = try query(
            """
            select id from sync_dead_letters
            where entity = $1 and state = 'open' and (\(dialect.contains("identity", "$2"))
                or (shape = 'delivery' and observed_at <= $3 and \(dialect.contains("zoho_id", "$2"))))
            """, [.text(entity), .texts(ids), .instant(readAt)])
        try closeDeadLetters(gone.compactMap { $0.int(0) }, .resolved, time: time)
    }
}
