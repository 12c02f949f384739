package import Mirror

/// How far a sync has got with one entity, reported while it runs.
package struct SyncEvent: Sendable {
    /// What a run is doing.
    package enum Phase: String, Sendable, Hashable {
        case began
        case list
        case details
        case ended
    }

    package let entity: String
    package let phase: Phase
    /// Records listed or details read in this phase.
    package let done: Int
    /// How many of them an earlier sync had listed.
    package let doneBefore: Int
    /// How many there will be, where that is known.
    package let expected: Int?
    /// Since the phase began, the turns of others included.
    package let elapsed: Duration
    /// For how long the minute's limits make it wait; nil where they do not.
    package let waits: Duration?
    /// How long the rest of the phase takes, as far as the limits tell and the calls so far; nil where nobody can say.
    package let timeToGo: Duration?
    /// The whole run so far, not only this phase.
    package let progress: Run.Progress
    /// Calls of the phase's kind that are left in this minute; nil at the beginning and end of a run, or where nobody
    /// could say.
    package let callsLeftThisMinute: Int?
    /// Calls that are left today, likewise.
    package let callsLeftToday: Int?
    /// The run as it began or ended; nil in between.
    package let run: Run?
}

/// A change that a dry run would have made.
package struct RehearsedChange: Sendable, Hashable {
    package let entity: String
    package let change: RecordChange
}

/// What a sync did, entity by entity.
package struct SyncReport: Sendable {
    /// In the order in which they began.
    package var runs: [Run] = []
    /// Entities that were not begun because the sync ended before.
    package var notBegun: [String] = []
    /// When Zoho allows calls again, in microseconds since 1970, where it stopped the sync.
    package var quotaReturnsAt: Int64?
    /// Whether calls are left until then, and kept for lists.
    package var keepsCalls = false
    /// Whether nothing was written.
    package var isDryRun = false
    /// The first changes of each entity that a dry run would have made.
    package var rehearsed: [RehearsedChange] = []
    /// What made it pointless to go on, such as a refused login, a network or database that is gone or a cancellation; why
    /// none of the entities could be read, where the configuration has to be corrected; why the end of a run could not be
    /// recorded.
    package var failure: (any Error)?

    /// Details that the mirror still lacks of what was asked for, whether or not it was begun, and that a later sync can
    /// read.
    package var detailsOutstanding = 0

    package init() {}

    /// The report, for a sync that could continue to its end.
    ///
    /// - Throws: ``failure``.
    package func get() throws -> SyncReport {
        if let failure { throw failure }
        return self
    }

    /// True where everything that could be done was done: a day's quota that ends is no failure.
    package var isSuccess: Bool {
        failure == nil && (notBegun.isEmpty || quotaReturnsAt != nil)
            && runs.allSatisfy {
                ($0.state == .completed || $0.state == .partial) && $0.progress[.failed] == 0
            }
    }
}
