import Catalog

/// What is compared, and what is done about differences.
package struct ReconciliationOptions: Sendable, Hashable {
    /// Entities to compare; empty for all.
    package var entities: [String] = []
    /// Records of each entity whose details are compared although nothing seems to differ.
    package var sample = 5
    /// Compares the details of every record.
    package var isDeep = false
    /// Puts the mirror right where a difference is confirmed.
    package var repairs = false
    /// Calls that may be spent on confirming differences, all entities together.
    package var confirmations = 1_000
    /// Lists at most, each after the last one has put right what it found; a comparison that repairs nothing needs one.
    var passes: Int { repairs ? 3 : 1 }
    /// Marks rows as deleted however many they are.
    ///
    /// Otherwise a source that has suddenly lost more than a tenth of an entity's records leaves its rows alone, because
    /// that may be a mistake of the source or of the configuration.
    package var allowsMassDeletion = false

    /// Whether nobody has named the entities, although they are named: the schedule asks for what there is.
    package var isUnattended = false

    package init() {}

    /// Whether it is no fault that the organisation does not have a module.
    var excusesMissingModules: Bool { entities.isEmpty || isUnattended }

    /// Rows of an entity that may be found deleted without a person's consent.
    func deletionBound(rows: Int) -> Int { allowsMassDeletion ? .max : max(20, rows / 10) }

    func mappings() throws(SyncOptionsError) -> [EntityMapping] {
        var options = SyncOptions()
        options.entities = entities
        return try options.validated()
    }
}
