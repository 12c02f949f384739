import Catalog
package import Database
package import Logging

/// The tables that hold the copy of one organisation, and our own state beside them.
///
/// Every change to the mirror passes ``apply(_:alongside:)``, whoever brings it.
package struct Mirror: Sendable {
    /// The database of the mirror's tables, to listen to and to check; records change through ``apply(_:alongside:)``
    /// alone.
    package let database: any SQLDatabase
    /// Microseconds since 1970, injected so that tests decide what time it is.
    package let now: @Sendable () -> Int64
    let logger: Logger
    /// Whether leases go by the database's clock, where it has one of its own, and not by ``now``.
    let usesDatabaseClock: Bool

    /// Wraps a database whose tables are ready; see ``prepare(organizationID:)``.
    ///
    /// - Parameter usesDatabaseClock: whether leases go by the clock of PostgreSQL, which is the same for all servers.
    package init(
        database: any SQLDatabase, now: @escaping @Sendable () -> Int64, usesDatabaseClock: Bool = false,
        logger: Logger
    ) {
        self.database = database
        self.now = now
        self.usesDatabaseClock = usesDatabaseClock
        self.logger = logger
    }

    /// The same mirror for a work that holds leases: what it writes commits only while it still has all of them.
    package func fenced(by leases: [String], of holder: String) -> Mirror {
        Mirror(
            database: FencedDatabase(base: database, holder: holder, leases: leases), now: now,
            usesDatabaseClock: usesDatabaseClock, logger: logger)
    }

    /// How many batches of a bulk load are worth applying in parallel.
    package var writers: Int { database.writers }
}

/// Why the mirror cannot be used as asked.
package enum MirrorError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The mirror already holds another organisation.
    case otherOrganisation(stored: String, configured: String)
    /// Another process or task holds the lease.
    case leased(name: String, holder: String, secondsLeft: Int)
    /// The lease that was held is somebody else's by now, or nobody's.
    case leaseLost(name: String)
    /// There is nothing with this id.
    case unknown(String)
    /// Entries of the change log that a follower has not seen are gone.
    ///
    /// - Parameters:
    ///   - after: what it has seen.
    ///   - through: the last one that was removed.
    ///   - last: the newest that there is.
    case changesRemoved(after: Int64, through: Int64, last: Int64)
    /// The change log has never come so far.
    case changesUnknown(after: Int64, last: Int64)
    /// The database holds no mirror.
    case missing
    /// The mirror's tables are not those that this program knows.
    case outdated(String)

    package var description: String {
        switch self {
        case .otherOrganisation(let stored, let configured):
            """
            This mirror holds organisation \(stored), but \(configured) is configured. Correct ZOHO_ORGANIZATION_ID, \
            or set DATABASE_URL to an empty database for the other organisation.
            """
        case .leased(let name, let holder, let secondsLeft):
            """
            Another process or task (\(HolderName.shown(holder))) is running \(name) on this mirror. Wait until it has ended, or stop it; if it \
            has died, its claim expires in \(secondsLeft) s.
            """
        case .leaseLost(let name):
            """
            The claim on \(name) was lost: this process stalled for longer than the claim lasts, and another has taken \
            over. What was committed stays, and the next run continues from there.
            """
        case .unknown(let what):
            "There is no \(what)."
        case .outdated(let lack):
            """
            The mirror's tables are not up to date: \(lack). Run zohosync sync, which brings them up to date, or undo what \
            was changed by hand.
            """
        case .changesRemoved(let after, let through, let last):
            """
            Some changes after \(after) are no longer in the change log: entries up to \(through) were older than their \
            retention and were removed. Read the tables afresh, and continue after \(last).
            """
        case .changesUnknown(let after, let last):
            """
            The change log ends at \(last) and has never reached \(after): that number belongs to another mirror, or this \
            one was restored from a backup. Read the tables afresh, and continue after \(last).
            """
        case .missing:
            "This database holds no mirror. Run zohosync sync first, or correct DATABASE_URL."
        }
    }
}
