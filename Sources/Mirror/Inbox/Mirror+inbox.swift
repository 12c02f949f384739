import Catalog
import Database
import ZohoBooks

extension Mirror {
    /// The channel on which workers are woken when records wait.
    package static let recordChannel = "inbox"
    /// The channel on which workers are woken when something has to be read.
    package static let readingChannel = "readings"

    /// How long a mark waits for others, so that many cost one call, and for deliveries that were overtaken, in
    /// microseconds.
    package static let coalescingDelay: Int64 = 3_000_000

    /// Deaths after which an entry is claimed alone, so that no other entry dies with it.
    static let isolationDeaths = 3
    /// Deaths after which an entry is not worked on any more.
    package static let maximumDeaths = 6

    /// Stores deliveries so that they survive a power cut, all or none.
    ///
    /// - Returns: the id of each: in the inbox, or of its dead letter.
    package func store(_ deliveries: [NewDelivery]) async throws -> [Int64] {
        let time = now()
        return try await database.write(.immediate) { transaction in
            let ids = try transaction.reserveIDs(deliveries.count { $0.isReadable }, in: "sync_inbox")
            var waiting = ids[...]
            var rows: [[SQLValue]] = []
            var channels: Set<String> = []
            let stored = try deliveries.map { delivery in
                switch delivery.content {
                case .readable(let kind, let zohoID, let record):
                    let id = waiting.popFirst() ?? 0
                    channels.insert(kind.channel)
                    rows.append(
                        Self.inboxRow(
                            id: id, entity: delivery.entity, kind, zohoID: zohoID, record: record,
                            receivedAt: delivery.receivedAt,
                            availableAt: delivery.receivedAt + (kind == .mark ? Self.coalescingDelay : 0),
                            requestID: delivery.requestID))
                    return id
                case .unreadable(let body, let reason, let source):
                    return try transaction.bury(
                        LetterContent(
                            entity: delivery.entity,
                            zohoID: Self.recordNamed(in: body, source, of: delivery.entity), form: .delivery,
                            record: body, observedAt: delivery.receivedAt, reason: reason,
                            requestID: delivery.requestID, source: source), time: time)
                }
            }
            if !rows.isEmpty { try transaction.insert(rows, into: "sync_inbox", columns: Self.inboxColumns) }
            for channel in channels { try transaction.notify(channel) }
            return stored
        }
    }

    /// Claims entries that are due, the longest waiting first, as many as ``partBytes`` allows; nobody else gets them
    /// until the lease ends.
    ///
    /// - Parameters:
    ///   - kinds: what the worker can do.
    ///   - lease: seconds until the entries come back unless they are removed, postponed or their claim is renewed.
    ///   - ahead: also takes what was not tried yet and is due within this many microseconds.
    package func claim(
        _ kinds: [InboxEntry.Kind], limit: Int, holder: String, lease: Int, ahead: Int64 = 0
    ) async throws -> [InboxEntry] {
        try await claim(kinds, limit: limit, holder: holder, lease: lease, ahead: ahead, deaths: "<")
    }

    /// Claims one entry that may have killed the processes that worked on it; none where there is no such entry.
    package func claimSuspect(_ kinds: [InboxEntry.Kind], holder: String, lease: Int) async throws -> [InboxEntry] {
        try await claim(kinds, limit: 1, holder: holder, lease: lease, ahead: 0, deaths: ">=")
    }

    /// Each claim counts as a death until it ends otherwise, because a process cannot report its own.
    private func claim(
        _ kinds: [InboxEntry.Kind], limit: Int, holder: String, lease: Int, ahead: Int64, deaths comparison: String
    ) async throws -> [InboxEntry] {
        let time = now()
        return try await database.write { transaction in
            try transaction.query(
                """
                with due as materialized (
                    select id, available_at, coalesce(length(record), 0) as bytes from sync_inbox
                    where available_at <= $6 and \(transaction.dialect.contains("kind", "$2"))
                        and (available_at <= $1 or attempts = 0 and claimed_by is null)
                        and deaths \(comparison) \(Self.isolationDeaths)
                    order by available_at, id limit $3\(transaction.dialect.forUpdateSkippingLocked)
                ), part as (
                    select id, sum(bytes) over (order by available_at, id) - bytes as earlier from due
                )
                update sync_inbox set available_at = $4, claimed_by = $5, deaths = deaths + 1
                where id in (select id from part where earlier < $7)
                returning id, entity, kind, zoho_id, record, received_at, attempts, request_id, deaths - 1, claimed_by,
                    priority
                """,
                [
                    .instant(time), .texts(kinds.map(\.rawValue)), .integer(Int64(limit)),
                    .instant(time + Int64(lease) * 1_000_000), .text(holder), .instant(time + ahead),
                    .integer(Int64(Self.partBytes)),
                ]
            ).compactMap { InboxEntry($0) }
        }.sorted { $0.id < $1.id }
    }

    /// Renews the claim on entries while the work on them goes on; entries that another worker has by now are left
    /// alone.
    ///
    /// - Parameters:
    ///   - holder: the worker that has claimed them.
    ///   - lease: seconds from now until they come back.
    package func renewClaim(on entries: [InboxEntry], holder: String, lease: Int) async throws {
        let expiry = now() + Int64(lease) * 1_000_000
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                update sync_inbox set available_at = $1
                where \(transaction.dialect.contains("id", "$2")) and claimed_by = $3
                """, [.instant(expiry), .integers(entries.map(\.id)), .text(holder)])
        }
    }

    /// How many entries are claimed by processes of which `isDead` holds.
    package func claims(where isDead: @escaping @Sendable (String) -> Bool) async throws -> Int {
        try await database.read { transaction in
            try transaction.query(
                "select claimed_by, count(*) from sync_inbox where claimed_by is not null group by claimed_by"
            ).reduce(0) { sum, row in
                row.text(0).map { isDead(HolderName.process(of: $0)) } == true ? sum + Int(row.int(1) ?? 0) : sum
            }
        }
    }

    /// Gives back what workers that are known to have ended have claimed, before their leases end.
    ///
    /// - Parameter isDead: whether the process of this name is known to have ended.
    /// - Returns: how many entries came back.
    @discardableResult
    package func releaseClaims(where isDead: @escaping @Sendable (String) -> Bool) async throws -> Int {
        let time = now()
        return try await database.write { transaction in
            let holders = try transaction.query(
                "select distinct claimed_by from sync_inbox where claimed_by is not null"
            ).compactMap { $0.text(0) }.filter { isDead(HolderName.process(of: $0)) }
            guard !holders.isEmpty else { return 0 }
            return try transaction.execute(
                """
                update sync_inbox set available_at = $1, claimed_by = null
                where \(transaction.dialect.contains("claimed_by", "$2"))
                """, [.instant(time), .texts(holders)])
        }
    }

    /// Gives claimed entries back until a later time.
    ///
    /// - Parameters:
    ///   - availableAt: in microseconds since 1970.
    ///   - error: why they could not be worked on.
    ///   - countsAttempt: whether an attempt has failed; not where nothing was tried or nothing could have worked.
    package func postpone(
        _ entries: [InboxEntry], until availableAt: Int64, error: String?, countsAttempt: Bool, holder: String
    ) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                update sync_inbox set available_at = $1, claimed_by = null, last_error = coalesce($2, last_error),
                    attempts = attempts + $3, deaths = 0
                where \(transaction.dialect.contains("id", "$4")) and claimed_by = $5
                """,
                [
                    .instant(availableAt), error.map { .text($0) } ?? .null, .integer(countsAttempt ? 1 : 0),
                    .integers(entries.map(\.id)), .text(holder),
                ])
        }
    }

    /// Moves entries that cannot be worked on to the dead letters, as far as they are still claimed as they were.
    package func giveUp(_ entries: [InboxEntry], reason: String) async throws {
        let time = now()
        try await database.write { transaction in
            for entry in try transaction.removeFromInbox(entries) {
                _ = try transaction.bury(
                    LetterContent(
                        entity: entry.entity, zohoID: entry.zohoID, form: entry.form,
                        record: entry.record.map { Array($0.bytes) } ?? [], observedAt: entry.receivedAt,
                        reason: reason, deliveryID: entry.id, requestID: entry.requestID), time: time)
            }
        }
    }

    /// Removes entries that need no work, as far as they are still claimed as they were.
    package func drop(_ entries: [InboxEntry]) async throws {
        try await database.write { _ = try $0.removeFromInbox(entries) }
    }

    /// What waits in the inbox.
    package func inboxDepth() async throws -> InboxDepth {
        try await database.read { transaction in
            let row = try transaction.query("select count(*), min(received_at) from sync_inbox").first
            return InboxDepth(count: Int(row?.int(0) ?? 0), oldestReceivedAt: row?.instant(1))
        }
    }

    private static func recordNamed(in body: [UInt8], _ source: DeliverySource?, of entity: String) -> String? {
        let json = WebhookBody(body, contentType: source?.contentType).json
        return Catalog.entity(named: entity)?.idNamed(in: Array(json.bytes))
    }

    static let inboxColumns = [
        "id", "entity", "kind", "zoho_id", "record", "received_at", "available_at", "request_id",
        "priority",
    ]

    static func inboxRow(
        id: Int64, entity: String, _ kind: InboxEntry.Kind, zohoID: String, record: RawJSON?, receivedAt: Int64,
        availableAt: Int64, requestID: String?, priority: CallPriority = .interactive
    ) -> [SQLValue] {
        [
            .integer(id), .text(entity), .text(kind.rawValue), .text(zohoID),
            record.map { .bytes(Array($0.bytes)) } ?? .null, .instant(receivedAt), .instant(availableAt),
            requestID.map { .text($0) } ?? .null, .text(priority.rawValue),
        ]
    }
}

extension SQLTransaction {
    /// Takes entries of one claim that are done with out of the inbox.
    ///
    /// - Returns: those that were still claimed like this; the others are another worker's by now, or done with.
    func removeFromInbox(_ entries: [InboxEntry]) throws -> [InboxEntry] {
        guard let holder = entries.first?.holder else { return [] }
        let removed = try query(
            "delete from sync_inbox where \(dialect.contains("id", "$1")) and claimed_by = $2 returning id",
            [.integers(entries.map(\.id)), .text(holder)])
        if removed.count == entries.count { return entries }
        let ids = Set(removed.compactMap { $0.int(0) })
        return entries.filter { ids.contains($0.id) }
    }
}

extension InboxEntry.Kind {
    /// The channel that wakes its workers.
    var channel: String { self == .record ? Mirror.recordChannel : Mirror.readingChannel }
}

extension NewDelivery {
    fileprivate var isReadable: Bool {
        if case .readable = content { true } else { false }
    }
}

extension InboxEntry {
    fileprivate var form: DeadLetter.Form {
        switch kind {
        case .record: .detail
        case .deletion: .deletion
        case .mark: .mark
        }
    }

    fileprivate init?(_ row: SQLRow) {
        guard let id = row.int(0), let entity = row.text(1), let kind = row.text(2).flatMap({ Kind(rawValue: $0) }),
            let zohoID = row.text(3), let receivedAt = row.instant(5), let failures = row.int(6),
            let deaths = row.int(8), let holder = row.text(9),
            let priority = row.text(10).flatMap({ CallPriority(rawValue: $0) })
        else { return nil }
        self.init(
            id: id, entity: entity, kind: kind, zohoID: zohoID, record: row.bytes(4).map { RawJSON($0[...]) },
            receivedAt: receivedAt, failures: Int(failures), deaths: Int(deaths), holder: holder,
            requestID: row.text(7), priority: priority)
    }
}
