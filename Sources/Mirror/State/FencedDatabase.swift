import Database

/// A database in which a work commits only while it has its leases.
///
/// A process that was suspended for longer than a lease lasts continues with what it knew before, such as a cursor,
/// although another one may have taken over and even have ended since. A process that acts on a lapsed lease takes or
/// removes it, so the work still has its lease as long as the row is its own.
struct FencedDatabase: SQLDatabase {
    let base: any SQLDatabase
    let holder: String
    /// The names of the leases.
    let leases: [String]

    var dialect: Dialect { base.dialect }
    var writers: Int { base.writers }

    func write<T: Sendable>(
        _ durability: Durability, _ body: @Sendable (any SQLTransaction) throws -> T
    ) async throws -> T {
        try await base.write(durability) { transaction in
            let value = try body(transaction)
            // Last, so that taking over or renewing waits no longer than the commit takes.
            try expectLeases(transaction)
            return value
        }
    }

    /// Keeps the leases from being taken until the transaction has ended.
    private func expectLeases(_ transaction: any SQLTransaction) throws {
        let held = try transaction.query(
            "select name from sync_leases where holder = $1\(transaction.dialect.forShare)", [.text(holder)]
        ).compactMap { $0.text(0) }
        if let lost = leases.first(where: { !held.contains($0) }) { throw MirrorError.leaseLost(name: lost) }
    }

    func read<T: Sendable>(_ body: @Sendable (any SQLTransaction) throws -> T) async throws -> T {
        try await base.read(body)
    }

    func notifications(of channel: String) -> AsyncStream<Void> { base.notifications(of: channel) }

    func close() async { await base.close() }
}
