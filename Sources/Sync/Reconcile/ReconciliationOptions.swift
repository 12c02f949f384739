import Catalog

/// What is compared, and what is done about differences.
package struct ReconciliationOptions: Sendable, Hashable {
    /// Entities to compare; empty for all.
    package var entities: [String] = []
    /// Records of each entity whose details are compared although nothing seems to differ.
    package var sample = 5
    /// Compares the details of every record, those included that the mirror still lacks.
    package var isDeep = false
    /// Repairs the mirror where a difference is confirmed.
    package var repairs = false
    /// Calls that may be spent on confirming differences, for all entities together.
    package var confirmations = 1_000
    /// The most lists, each after the last one's findings were repaired; a comparison that repairs nothing needs one,
    /// and what the schedule's repairs leave is found by its next comparison.
    var passes: Int { repairs && !isUnattended ? 3 : 1 }
    /// How many rows of an entity, all passes together, may be marked as deleted.
    package var deletions = DeletionBound()
    /// Marks rows as deleted however many there are.
    package var allowsMassDeletion = false

    /// Whether nobody has named the entities, although they are named: the schedule asks for what there is, and with the
    /// calls that syncs can spare.
    package var isUnattended = false
    /// Reads no list, but only the details that an earlier comparison left unverified.
    package var readsUnverifiedDetailsAlone = false

    package init() {}

    /// Whether a module that the organisation does not have is no failure.
    var excusesMissingModules: Bool { entities.isEmpty || isUnattended }

    /// Whether this many of an entity's rows may be taken for deleted.
    func allowsDeletions(_ gone: Int, of rows: Int) -> Bool {
        allowsMassDeletion || deletions.allows(gone, of: rows)
    }

    /// The options as they are recorded on each run.
    var json: String {
        "{\"sample\":\(sample),\"deep\":\(isDeep),\"repair\":\(repairs),\"confirmations\":\(confirmations)}"
    }

    func mappings() throws(SyncOptionsError) -> [EntityMapping] {
        var options = SyncOptions()
        options.entities = entities
        return try options.validated()
    }
}
