import Database

/// How the change log is numbered.
///
/// Commits do not wait for the disk, so that a machine that fails may lose changes that readers have seen, together
/// with the memory of their numbers. A follower of the log would skip numbers that are given again. So the first
/// transaction that writes to it after a failure leaves out more numbers than can have been lost, and waits for the
/// disk.
extension Mirror {
    /// Leaves numbers out where some may have been lost since the last time; called before anything is changed.
    func checkNumbering() async throws {
        let isCurrent = try await database.read { transaction in
            try transaction.numberedIncarnation() == transaction.incarnation()
        }
        if isCurrent { return }
        try await database.write(.immediate) { transaction in
            _ = try transaction.lockNumbers()
            try transaction.skipLostNumbers()
        }
    }
}

extension SQLTransaction {
    /// Lets one transaction at a time number its changes; to be called as late as possible, because the lock is held
    /// until the transaction ends.
    func lockNumbering() throws {
        if try lockNumbers() { return }
        try skipLostNumbers()
        try noteNumbersChecked()
    }

    /// More than are lost at once: PostgreSQL may lose a second, SQLite what it has not yet copied into its file.
    private static var gap: Int64 { 1_000_000 }

    fileprivate func skipLostNumbers() throws {
        let current = try incarnation()
        let known = try numberedIncarnation()
        guard known != current else { return }
        let isNew = try known == nil && query("select 1 from sync_changes limit 1").isEmpty
        if !isNew { try skipNumbers(Self.gap, in: "sync_changes") }
        try execute(
            """
            insert into sync_numbering (singleton, incarnation) values (1, $1)
            on conflict (singleton) do update set incarnation = excluded.incarnation
            """, [.text(current)])
    }

    fileprivate func numberedIncarnation() throws -> String? {
        try query("select incarnation from sync_numbering").first?.text(0)
    }
}
