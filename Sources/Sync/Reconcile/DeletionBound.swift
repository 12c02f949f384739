/// How many rows of an entity may be found gone at the source before a person is asked.
///
/// A source that has suddenly lost many of an entity's records, or all, may be a mistake of the source or of the
/// configuration, and must not empty the mirror.
package struct DeletionBound: Sendable, Hashable {
    /// The share of an entity's rows, 0 to 1.
    package var share = 0.1
    /// The number that may be gone from an entity with few rows, as long as it is less than half of them.
    package var minimum = 3

    package init() {}

    /// Whether this many rows may be marked as deleted without a person's consent.
    ///
    /// A person is always asked about half of an entity, one of two rows included, unless the share allows as much. The
    /// only row of an entity is no loss that needs a person: it is marked when Zoho says that it is gone.
    ///
    /// - Parameter rows: how many the entity had before.
    package func allows(_ gone: Int, of rows: Int) -> Bool {
        if gone == 0 || rows == 1 { return true }
        return gone < rows && (gone <= Int(Double(rows) * share) || (gone <= minimum && gone * 2 < rows))
    }

    /// The question to a person, with the command that gives consent.
    package static func question(_ gone: Int, of rows: Int, entity: String) -> String {
        """
        \(gone) of \(rows) records no longer exist in Zoho: too many to mark as deleted automatically. Check Zoho Books \
        and ZOHO_ORGANIZATION_ID; if they really are gone, run zohosync verify \(entity) --repair --allow-mass-deletion.
        """
    }
}
