import Mirror
import ZohoBooks

/// What all entities' comparisons have found.
package struct ReconciliationReport: Sendable {
    /// In the catalogue's order.
    package let entities: [(entity: String, findings: Findings)]
    /// What was announced before the comparison.
    package let cost: ReconciliationCost
    /// Calls that were made, those that failed and were made again included.
    package let calls: Int

    package init(entities: [(entity: String, findings: Findings)], cost: ReconciliationCost, calls: Int) {
        self.entities = entities
        self.cost = cost
        self.calls = calls
    }

    /// Whether source and mirror are equal now.
    package var isEqual: Bool {
        entities.allSatisfy { $0.findings.state == .equal || $0.findings.state == .repaired }
    }

    /// Whether something differs now, rows included that seem to be gone and about which a person has to decide.
    package var hasDifferences: Bool {
        entities.contains { $0.findings.undecided > 0 || !$0.findings.drift.allSatisfy(\.isRepaired) }
    }
}

extension ReconciliationReport {
    /// Records that seem equal and whose details were not compared.
    package var detailsNotRead: Int { entities.reduce(0) { $0 + $1.findings.detailsNotRead } }
}

/// What a comparison costs in calls.
package struct ReconciliationCost: Sendable, Hashable {
    /// Pages of the lists, by module; one more than expected where the source may have grown.
    package internal(set) var lists: [String: Int] = [:]
    /// How often each list may be read: again where differences were repaired, to see what changed meanwhile.
    package internal(set) var passes = 1
    /// Details that are compared whether or not anything differs.
    package internal(set) var samples = 0
    /// The most calls to confirm what seems to differ.
    package internal(set) var confirmations = 0
    /// How many records each list is expected to have, by module.
    var records: [String: Int] = [:]

    package init() {}

    /// The most calls that are made, including calls that fail and are repeated.
    package var ceiling: Int { lists.values.reduce(0, +) * passes + samples + confirmations }
}

/// The calls of a comparison, and what is left of them for details.
struct ReconciliationCalls {
    /// Refuses calls beyond what was announced.
    let counter: CallCounter
    /// What was announced for details and is not spent yet.
    var details: Int
    /// Pages that may still have to be listed; calls that failed and were made again must not take them away.
    var keptForLists: Int

    init(_ cost: ReconciliationCost) {
        counter = CallCounter(limit: cost.ceiling)
        details = cost.samples + cost.confirmations
        keptForLists = cost.lists.values.reduce(0, +) * cost.passes
    }

    /// Calls that may be made for details.
    var left: Int { min(details, (counter.remaining ?? .max) - keptForLists) }
}
