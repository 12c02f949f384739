import Catalog
import Logging
package import Mirror
import Synchronization
package import ZohoBooks

/// Brings the mirror up to date: lists first, so that every record is usable after a few calls, then details.
package struct Synchroniser: Sendable {
    let client: ZohoBooksClient
    private(set) var mirror: Mirror
    let options: SyncOptions
    /// Host and process, for people and for the leases.
    let process: String
    /// Whether the process of this name is known to have ended.
    let isDead: @Sendable (String) -> Bool
    let onEvent: @Sendable (SyncEvent) async -> Void

    /// - Parameters:
    ///   - process: host and process, for people and for the leases.
    ///   - isDead: whether the process of this name is known to have ended.
    ///   - onEvent: told of every page and every few details; the sync waits for it.
    package init(
        client: ZohoBooksClient, mirror: Mirror, options: SyncOptions, process: String,
        isDead: @escaping @Sendable (String) -> Bool = { _ in false },
        onEvent: @escaping @Sendable (SyncEvent) async -> Void = { _ in }
    ) {
        self.client = client
        self.mirror = mirror
        self.options = options
        self.process = process
        self.isDead = isDead
        self.onEvent = onEvent
    }

    /// Runs the sync.
    ///
    /// - Returns: what was done, also where single entities failed; each run says why.
    /// - Throws: ``SyncOptionsError``, ``MirrorError`` where another sync has the lease, and whatever makes it
    ///   pointless to go on: a refused login, a database that is gone, cancellation. The runs are recorded first.
    package func run() async throws -> SyncReport {
        try await report().get()
    }

    /// Runs the sync, and reports what was done also where it could not go on: ``SyncReport/failure`` says why.
    ///
    /// - Throws: ``SyncOptionsError``, and what keeps the sync from beginning.
    package func report() async throws -> SyncReport {
        let mappings = try options.validated()
        let names = mappings.map { Lease.name(of: $0.entity.name) }
        if options.isDryRun { return await synchronise(mappings, holder: process) }
        // Losing a lease and being cancelled end the holding with an error, whatever the work has come to.
        let done = Mutex<SyncReport?>(nil)
        do {
            return try await Leases(mirror: mirror, process: process, isDead: isDead).hold(names) { holder, mirror in
                var fenced = self
                fenced.mirror = mirror
                let report = await fenced.synchronise(mappings, holder: holder)
                done.withLock { $0 = report }
                return report
            }
        } catch {
            guard var report = done.withLock({ $0 }) else { throw error }
            report.failure = error
            return report
        }
    }

    private func synchronise(_ mappings: [EntityMapping], holder: String) async -> SyncReport {
        var session = SyncSession(self, holder: holder)
        for module in mappings.byModule { await session.list(module) }
        if options.includesDetails, !options.isDryRun {
            await session.details(of: mappings)
        }
        return await session.finish(mappings)
    }
}
