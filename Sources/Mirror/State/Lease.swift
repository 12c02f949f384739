import Database

/// A right that one holder has for a while: `sync products`.
package struct Lease: Sendable, Hashable {
    /// What it is the right to do: `sync products`, `schedule health`, `worker host:42#1`.
    package let name: String
    /// Who has it: a process or one of its parts; see ``HolderName``.
    package let holder: String
    /// Microseconds since 1970.
    package let expiresAt: Int64
    /// Microseconds until it lapses; negative where it has.
    package let left: Int64

    /// What a lease is; docs/states.md draws it.
    ///
    /// It follows from when the lease expires, so that nobody has to be alive to write it.
    package enum State: String, Sendable, Hashable, CaseIterable {
        case held
        /// It was not renewed in time: anyone may take it.
        case lapsed
    }

    /// Its state at the time at which it was read.
    package var state: State { left > 0 ? .held : .lapsed }

    /// The process that holds it.
    package var process: String { HolderName.process(of: holder) }

    /// The lease under which an entity is listed, compared or put back.
    package static func name(of entity: String) -> String { prefix + entity }

    /// The entity that a lease is about; nil where it is about something else.
    package static func entity(of name: String) -> String? {
        name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : nil
    }

    /// How the names of all leases of entities begin.
    static let prefix = "sync "
}

/// The names under which leases and claims are held: a process, or one of its parts after a `#`, as in `host:42@7:…#1`.
package enum HolderName {
    /// A name for a part of a process that no other part has.
    package static func unique(_ process: String) -> String {
        "\(process)#\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    /// The process that a holder is a part of.
    package static func process(of holder: String) -> String {
        String(holder.prefix { $0 != "#" })
    }

    /// The name of a holder, or of a lease that is called after one, as people know it, without what tells processes of
    /// one id apart: `host:42#1`.
    package static func shown(_ name: String) -> String {
        guard let at = name.firstIndex(of: "@") else { return name }
        return String(name[..<at] + name[at...].drop { $0 != "#" })
    }
}

extension Mirror {
    /// The time by which leases are measured, in microseconds since 1970.
    ///
    /// Servers on several machines compare what the others wrote, so a wrong clock would take away what is held; the
    /// database's clock is the same for all.
    func leaseTime(_ transaction: any SQLTransaction) throws -> Int64 {
        guard usesDatabaseClock, transaction.dialect == .postgres else { return now() }
        return try transaction.query("select clock_timestamp()").first?.instant(0) ?? now()
    }

    /// Takes the named lease, or renews it where `holder` has it already.
    ///
    /// - Parameters:
    ///   - duration: seconds until it lapses unless it is renewed.
    ///   - isDead: whether the process of this name is known to have ended, so that its lease need not run out.
    /// - Throws: ``MirrorError/leased(name:holder:secondsLeft:)`` where somebody else has it.
    package func acquireLease(
        _ name: String, holder: String, duration: Int, isDead: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws {
        try await database.write { transaction in
            let time = try leaseTime(transaction)
            let expiry = time + Int64(duration) * 1_000_000
            var row: SQLRow?
            // What its holder gives back between the two statements is free again.
            while row == nil {
                try transaction.execute(
                    """
                    insert into sync_leases (name, holder, acquired_at, expires_at) values ($1, $2, $3, $4)
                    on conflict (name) do nothing
                    """, [.text(name), .text(holder), .instant(time), .instant(expiry)])
                row = try transaction.query(
                    "select holder, expires_at from sync_leases where name = $1\(transaction.dialect.forUpdate)",
                    [.text(name)]
                ).first
            }
            guard let current = row?.text(0), let currentExpiry = row?.instant(1) else { return }
            let process = HolderName.process(of: current)
            guard current == holder || currentExpiry <= time || isDead(process) else {
                throw MirrorError.leased(
                    name: name, holder: process, secondsLeft: Int((currentExpiry - time) / 1_000_000) + 1)
            }
            try transaction.execute(
                "update sync_leases set holder = $2, acquired_at = $3, expires_at = $4 where name = $1",
                [.text(name), .text(holder), .instant(time), .instant(expiry)])
        }
    }

    /// Renews the named lease, which `holder` took.
    ///
    /// - Parameter duration: seconds until it lapses unless it is renewed again.
    /// - Throws: ``MirrorError/leaseLost(name:)`` where the holder no longer has it, also where it is free by now:
    ///   another holder may have had it meanwhile.
    package func renewLease(_ name: String, holder: String, duration: Int) async throws {
        try await database.write { transaction in
            let expiry = try leaseTime(transaction) + Int64(duration) * 1_000_000
            let renewed = try transaction.execute(
                "update sync_leases set expires_at = $3 where name = $1 and holder = $2",
                [.text(name), .text(holder), .instant(expiry)])
            if renewed == 0 { throw MirrorError.leaseLost(name: name) }
        }
    }

    /// Gives a lease back; does nothing where somebody else has it by now.
    ///
    /// - Returns: whether the holder still had it.
    @discardableResult
    package func releaseLease(_ name: String, holder: String) async throws -> Bool {
        try await database.write { transaction in
            try transaction.execute(
                "delete from sync_leases where name = $1 and holder = $2", [.text(name), .text(holder)]) > 0
        }
    }

    /// Takes a lease back as it was found; one that was renewed or taken meanwhile stays.
    ///
    /// - Returns: whether it was taken back.
    package func takeBack(_ lease: Lease) async throws -> Bool {
        try await database.write { transaction in
            try transaction.execute(
                "delete from sync_leases where name = $1 and holder = $2 and expires_at = $3",
                [.text(lease.name), .text(lease.holder), .instant(lease.expiresAt)]) > 0
        }
    }

    /// The leases that there are, lapsed ones included.
    package func leases() async throws -> [Lease] { try await database.read { try leases($0) } }

    func leases(_ transaction: any SQLTransaction) throws -> [Lease] {
        let time = try leaseTime(transaction)
        return try transaction.query("select name, holder, expires_at from sync_leases order by name").compactMap {
            row in
            guard let name = row.text(0), let holder = row.text(1), let expiresAt = row.instant(2) else { return nil }
            return Lease(name: name, holder: holder, expiresAt: expiresAt, left: expiresAt - time)
        }
    }
}
