import Database

/// When servers ran on the mirror, in microseconds since 1970.
package struct Uptime: Sendable, Hashable {
    /// Since when one has run without a gap.
    package var upSince: Int64
    /// When one was seen last.
    package var seenAt: Int64
    /// When one was seen last before the gap; nil where there was none.
    package var downSince: Int64?
}

extension Mirror {
    /// When servers were seen to run; nil where none ever was.
    package func uptime() async throws -> Uptime? {
        try await database.read { try $0.uptime() }
    }

    /// Notes that a server runs.
    ///
    /// Any number of servers may run: the mirror was without one where none of them was seen.
    ///
    /// - Parameters:
    ///   - tolerance: microseconds between two notes that are no gap.
    ///   - task: the scheduled task that is due at once after a gap, unless a server has begun it since.
    /// - Returns: whether no server had run before.
    @discardableResult
    package func noteUptime(tolerance: Int64, waking task: String? = nil) async throws -> Bool {
        let time = now()
        return try await database.write { transaction in
            var uptime = try transaction.uptime(isLocking: true) ?? Uptime(upSince: time, seenAt: time)
            let wasDown = time - uptime.seenAt > tolerance
            if wasDown {
                if let task {
                    try transaction.execute(
                        """
                        update sync_schedule set due_at = $1
                        where name = $2 and (started_at is null or started_at <= $3)
                        """, [.instant(time), .text(task), .instant(uptime.seenAt)])
                }
                (uptime.downSince, uptime.upSince) = (uptime.seenAt, time)
            }
            uptime.seenAt = max(uptime.seenAt, time)
            try transaction.execute(
                """
                insert into sync_uptime (singleton, up_since, seen_at, down_since) values (1, $1, $2, $3)
                on conflict (singleton) do update set
                    up_since = excluded.up_since, seen_at = excluded.seen_at, down_since = excluded.down_since
                """,
                [
                    .instant(uptime.upSince), .instant(uptime.seenAt),
                    uptime.downSince.map { .instant($0) } ?? .null,
                ])
            return wasDown
        }
    }
}

extension SQLTransaction {
    fileprivate func uptime(isLocking: Bool = false) throws -> Uptime? {
        let row = try query(
            "select up_since, seen_at, down_since from sync_uptime\(isLocking ? dialect.forUpdate : "")"
        ).first
        guard let upSince = row?.instant(0), let seenAt = row?.instant(1) else { return nil }
        return Uptime(upSince: upSince, seenAt: seenAt, downSince: row?.instant(2))
    }
}
