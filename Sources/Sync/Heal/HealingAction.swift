import Mirror

/// One thing that healing can do, in the order in which it is done.
package enum HealingAction: String, Sendable, Hashable, CaseIterable {
    /// Gets an access token where the one at rest has expired.
    case refreshToken = "refresh_token"
    /// Releases leases and claims that nobody renews any more.
    case releaseLeases = "release_leases"
    /// Ends runs whose process has died.
    case endRuns = "end_runs"
    /// Gives up a worker of this server that is stuck, and starts another one.
    case restartWorker = "restart_worker"
    /// Retries what failed for a passing reason.
    case retryDeadLetters = "retry_dead_letters"
    /// Rereads records that could not be applied as they came.
    case rereadDeadLetters = "reread_dead_letters"
    /// Reads what changed while no server ran.
    case catchUp = "catch_up"
    /// Repairs what the last comparison found.
    case repairDrift = "repair_drift"
    /// Removes what is older than its retention.
    case prune
}

/// What healing may do.
package struct HealingOptions: Sendable, Hashable {
    /// Actions that are switched off.
    package var disabled: Set<HealingAction> = []
    /// Days for which ended runs, closed dead letters, comparisons and healing are kept.
    package var historyDays = 90
    /// Days for which the change log is kept.
    package var changesDays = 365
    /// How many rows of an entity may be marked as deleted without a person's consent.
    package var deletions = DeletionBound()
    /// Whether a person asked for it: what has failed before is then retried without waiting.
    package var isAskedFor = false

    package init() {}
}

/// Something that healing would do now.
package struct HealingNeed: Sendable {
    package let action: HealingAction
    /// Why it is needed, as a sentence for people.
    package let reason: String
    /// Nil where a person has to decide.
    let act: (@Sendable () async throws -> HealingResult)?

    /// Whether a person has to decide.
    package var isQuestion: Bool { act == nil }
}

/// What came of an action.
struct HealingResult: Sendable {
    var state = HealingRecord.State.done
    /// What was done, without the state's own words.
    let text: String
    let changed: Int
}

extension HealingRecord.State {
    /// The sentence with which an outcome in this state begins; nil for one that was done.
    package var words: String? {
        switch self {
        case .done: nil
        case .waiting: "Waiting:"
        case .failed: "Failed:"
        case .question: "A person has to decide."
        }
    }
}
