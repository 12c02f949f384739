import Mirror

/// A difference between source and mirror that a direct read has confirmed.
package struct Drift: Sendable, Hashable {
    /// What is wrong with the mirror.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The source has a record that the mirror does not have.
        case missing
        /// The mirror has a row whose record is gone, deleted or merged into another.
        case extra
        /// The source's record was modified since the mirror read it.
        case outdated
        /// Columns differ although the record was not modified since.
        case different
        /// Only child rows differ.
        case children
        /// The mirror has marked the record as deleted, and it exists.
        case wronglyDeleted = "wrongly_deleted"
        /// The record cannot become a row; it is a dead letter.
        case unreadable
    }

    /// Empty for a record in a list that has no readable id.
    package let zohoID: String
    package let kind: Kind
    /// The columns and child tables that differ.
    package let fields: [String]
    /// Whether the mirror has been repaired.
    package let isRepaired: Bool

    /// From what applying a directly read record has changed, or would change.
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

    init(_ zohoID: String, _ kind: Kind, fields: [String] = [], isRepaired: Bool) {
        self.zohoID = zohoID
        self.kind = kind
        self.fields = fields
        self.isRepaired = isRepaired
    }

    /// Whether the record was not modified since and only these columns and child tables differ.
    func isHidden(in fields: Set<String>) -> Bool {
        (kind == .children || kind == .different) && fields.isSuperset(of: self.fields) && !self.fields.isEmpty
    }
}
