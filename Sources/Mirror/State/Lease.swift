import Database

extension Mirror {
    /// Takes the named lease, or prolongs it where `holder` has it already.
    ///
    /// - Parameters:
    ///   - duration: seconds until it lapses unless it is prolonged.
    ///   - isDead: tells of another holder whether it is known to have ended, so that its lease need not run out.
    /// - Throws: ``MirrorError/leased(name:holder:secondsLeft:)`` where somebody else has it.
    package func acquireLease(
        _ name: String, holder: String, duration: Int, isDead: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws {
        let time = now()
        let expiry = time + Int64(duration) * 1_000_000
        try await database.write { transaction in
            try transaction.execute(
                """
                insert into sync_leases (name, holder, acquired_at, expires_at) values ($1, $2, $3, $4)
                on conflict (name) do nothing
                """, [.text(name), .text(holder), .instant(time), .instant(expiry)])
            let row = try transaction.query(
                "select holder, expires_at from sync_leases where name = $1\(transaction.dialect.forUpdate)",
                [.text(name)]
            ).first
            guard let current = row?.text(0), let currentExpiry = row?.instant(1) else { return }
            guard current == holder || currentExpiry <= time || isDead(current) else {
                throw MirrorError.leased(
                    name: name, holder: current, secondsLeft: Int((currentExpiry - time) / 1_000_000) + 1)
            }
            try transaction.execute(
                "update sync_leases set holder = $2, acquired_at = $3, expires_at = $4 where name = $1",
                [.text(name), .text(holder), .instant(time), .instant(expiry)])
        }
    }

    /// Gives a lease back; does nothing where somebody else has it by now.
    package func releaseLease(_ name: String, holder: String) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                "delete from sync_leases where name = $1 and holder = $2", [.text(name), .text(holder)])
        }
    }
}
