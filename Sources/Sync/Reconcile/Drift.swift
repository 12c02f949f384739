import Catalog
package import Mirror
import ZohoBooks

/// A difference between source and mirror that a direct read has confirmed.
package struct Drift: Sendable, Hashable {
    /// What is wrong with the mirror.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The source has a record of which the mirror knows nothing.
        case missing
        /// The mirror has a row whose record is gone, deleted or merged into another.
        case extra
        /// The source's record was modified since.
        case outdated
        /// The record was not modified since, and yet columns differ.
        case different
        /// Only child rows differ.
        case children
        /// The mirror says that the record is gone, and it is there.
        case wronglyDeleted = "wrongly_deleted"
        /// The record cannot become a row; it is a dead letter.
        case unreadable
    }

    package let zohoID: String
    package let kind: Kind
    /// The columns and child tables that differ.
    package let fields: [String]
    /// Whether the mirror has been put right.
    package let isRepaired: Bool

    /// What applying a record that was read directly has changed, or would change.
    init(_ change: RecordChange, childTables: Set<String>, isRepaired: Bool) {
        zohoID = change.zohoID
        fields = change.fields
        self.isRepaired = isRepaired
        kind =
            switch change.outcome {
            case .inserted: .missing
            case .restored: .wronglyDeleted
            default:
                childTables.isSuperset(of: change.fields)
                    ? .children : change.fields.contains("zoho_modified_at") ? .outdated : .different
            }
    }

    init(_ zohoID: String, _ kind: Kind, isRepaired: Bool) {
        self.zohoID = zohoID
        self.kind = kind
        fields = []
        self.isRepaired = isRepaired
    }
}

/// What one entity's comparison has found.
package struct Findings: Sendable, Hashable {
    package internal(set) var drift: [Drift] = []
    /// Records that came twice in the list (reference, section 6.5).
    package internal(set) var duplicates = 0
    /// Records that the list left out although they exist: they moved to a page that was read already.
    package internal(set) var moved = 0
    /// Suspects of which no call was left to find out.
    package internal(set) var unconfirmed = 0
    package internal(set) var listed = 0
    package internal(set) var rowsCompared = 0
    package internal(set) var detailsCompared = 0
    package internal(set) var calls = 0
    /// Why not everything could be compared.
    package internal(set) var note: String?
    /// Whether that is because so many rows are gone from the source that a person has to decide.
    package internal(set) var needsConsent = false

    /// Records of the report at most; the counts are of all.
    private static let reported = 1_000

    package var counts: [Drift.Kind: Int] {
        Dictionary(grouping: drift, by: \.kind).mapValues(\.count)
    }

    package var state: Reconciliation.State {
        if note != nil || unconfirmed > 0 { return .incomplete }
        if drift.isEmpty { return .equal }
        return drift.allSatisfy(\.isRepaired) ? .repaired : .different
    }

    /// The findings as they are kept.
    ///
    /// - Parameter isRepairing: whether differences were to be repaired.
    func json(isRepairing: Bool) -> RawJSON {
        var text = "{\"repairing\":\(isRepairing),\"needs_consent\":\(needsConsent),\"counts\":{"
        var members = counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\"\($0.key.rawValue)\":\($0.value)" }
        if duplicates > 0 { members.append("\"duplicated\":\(duplicates)") }
        if moved > 0 { members.append("\"moved\":\(moved)") }
        if unconfirmed > 0 { members.append("\"unconfirmed\":\(unconfirmed)") }
        text += members.joined(separator: ",") + "},\"records\":["
        text += drift.prefix(Self.reported).map { drift in
            let fields = drift.fields.map { CanonicalJSON.quoted($0) }.joined(separator: ",")
            return """
                {"zoho_id":\(CanonicalJSON.quoted(drift.zohoID)),"kind":"\(drift.kind.rawValue)","fields":[\(fields)],\
                "repaired":\(drift.isRepaired)}
                """
        }.joined(separator: ",")
        text += "]}"
        return RawJSON(ArraySlice(text.utf8))
    }
}

/// What all entities' comparisons have found.
package struct ReconciliationReport: Sendable {
    package let entities: [(entity: String, findings: Findings)]
    package let cost: ReconciliationCost
    /// Calls that were made.
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
}

/// What a comparison costs in calls.
package struct ReconciliationCost: Sendable, Hashable {
    /// Pages of the lists, by module; one more than expected where the source may have grown.
    package internal(set) var lists: [String: Int] = [:]
    /// How often each list may be read: again where differences were repaired, to see what changed meanwhile.
    package internal(set) var passes = 1
    /// Details that are compared whether or not anything differs.
    package internal(set) var samples = 0
    /// At most so many to confirm what seems to differ.
    package internal(set) var confirmations = 0

    package init() {}

    /// More calls than these are not made.
    package var ceiling: Int { lists.values.reduce(0, +) * passes + samples + confirmations }
}
