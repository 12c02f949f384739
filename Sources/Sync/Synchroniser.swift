import Catalog
import Logging
package import Mirror
package import ZohoBooks

/// Brings the mirror up to date: lists first, so that every record is usable after a few calls, then details.
package struct Synchroniser: Sendable {
    let client: ZohoBooksClient
    let mirror: Mirror
    let options: SyncOptions
    /// Host and process, for people and for the leases.
    let holder: String
    /// Tells of another holder of a lease whether it is known to have ended.
    let isDead: @Sendable (String) -> Bool
    /// Calls that are made side by side; Zoho allows 5 to 10 (reference, section 2.1).
    let concurrency: Int
    let onEvent: @Sendable (SyncEvent) async -> Void

    package init(
        client: ZohoBooksClient, mirror: Mirror, options: SyncOptions, holder: String, concurrency: Int = 10,
        isDead: @escaping @Sendable (String) -> Bool = { _ in false },
        onEvent: @escaping @Sendable (SyncEvent) async -> Void = { _ in }
    ) {
        self.client = client
        self.mirror = mirror
        self.options = options
        self.holder = holder
        self.concurrency = concurrency
        self.isDead = isDead
        self.onEvent = onEvent
    }

    /// Runs the sync.
    ///
    /// - Returns: what was done, also where single entities failed; each run says why.
    /// - Throws: ``SyncOptionsError``, ``MirrorError`` where another sync has the lease, and whatever makes it
    ///   pointless to go on: a refused login, a database that is gone, cancellation. The runs are recorded first.
    package func run() async throws -> SyncReport {
        let mappings = try options.validated()
        let names = mappings.map { Leases.name(of: $0.entity.name) }
        if options.isDryRun { return try await synchronise(mappings, holder: holder) }
        return try await Leases(mirror: mirror, process: holder, isDead: isDead).hold(names) { holder in
            try await synchronise(mappings, holder: holder)
        }
    }

    private func synchronise(_ mappings: [EntityMapping], holder: String) async throws -> SyncReport {
        var session = SyncSession(self, holder: holder)
        for module in mappings.byModule { await session.list(module) }
        if options.includesDetails, !options.isDryRun {
            for mapping in mappings { await session.details(of: mapping) }
        }
        return try await session.finish()
    }
}
