import Database

/// What healing has done once.
package struct HealingRecord: Sendable, Hashable {
    /// The raw value of a `HealingAction`; another version may have written one that this one does not know.
    package let action: String
    /// Why it was needed, for people.
    package let reason: String
    package let state: State
    /// What came of it, for people.
    package let outcome: String
    /// How many things it changed: records, leases, runs or rows, by the action.
    package let changed: Int
    /// Microseconds since 1970.
    package let at: Int64

    /// How it ended; docs/states.md draws it.
    package enum State: String, Sendable, Hashable, CaseIterable {
        case done
        /// A passing obstacle kept it from being done; the next round tries again.
        case waiting
        case failed
        /// A person has to decide.
        case question

        /// Whether it is left to a person, to decide or to mend.
        package var isOpen: Bool { self == .failed || self == .question }
    }

    package init(action: String, reason: String, state: State, outcome: String, changed: Int, at: Int64) {
        self.action = action
        self.reason = reason
        self.state = state
        self.outcome = outcome
        self.changed = changed
        self.at = at
    }
}

extension Mirror {
    /// Keeps what healing has done.
    package func record(_ healing: HealingRecord) async throws {
        try await database.write { transaction in
            let id = try transaction.reserveIDs(1, in: "sync_actions")[0]
            try transaction.execute(
                """
                insert into sync_actions (id, action, reason, state, outcome, changed, at)
                values ($1, $2, $3, $4, $5, $6, $7)
                """,
                [
                    .integer(id), .text(healing.action), .text(healing.reason), .text(healing.state.rawValue),
                    .text(healing.outcome), .integer(Int64(healing.changed)), .instant(healing.at),
                ])
        }
    }
}
