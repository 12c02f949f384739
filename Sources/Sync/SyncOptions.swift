package import Catalog
import Database
import Mirror

/// What a sync is asked to do.
package struct SyncOptions: Sendable, Hashable {
    /// How much of an entity is read.
    package enum Mode: String, Sendable, Hashable {
        /// Incremental where the entity has a cursor, else full.
        case automatic
        case full
        case incremental
    }

    /// Entities to synchronise, in any order; empty for all.
    package var entities: [String] = []
    package var mode = Mode.automatic
    /// Only records modified since, in microseconds since 1970.
    package var modifiedSince: Int64?
    /// Rows in one transaction, 10 to 200.
    ///
    /// Pages always hold 200: calls are scarcer than rows.
    package var batchSize = 200
    /// Leaves out inactive records.
    package var isActiveOnly = false
    /// Leaves out products without stock.
    package var isWithStockOnly = false
    /// Whether references to images are kept.
    package var includesImages = true
    /// Whether complete records are read after the lists.
    package var includesDetails = true
    /// Reads and compares, and writes nothing.
    package var isDryRun = false
    /// How many rows of an entity may be marked as deleted without a person's consent.
    package var deletions = DeletionBound()
    /// Whether no person has chosen the entities: the schedule names all that there are.
    package var isUnattended = false

    package init() {}

    /// Whether a module that the organisation does not have is no failure.
    var excusesMissingModules: Bool { entities.isEmpty || isUnattended }

    /// Whether the sync looks at everything that an entity has, so that its cursor may move.
    var isUnfiltered: Bool { modifiedSince == nil && !isActiveOnly && !isWithStockOnly }

    /// The filters, as far as rows show them: which rows get their details.
    var dueFilter: DueFilter {
        DueFilter(modifiedSince: modifiedSince, isActiveOnly: isActiveOnly, isWithStockOnly: isWithStockOnly)
    }

    /// The options as they are recorded on each run.
    var json: String {
        var members = [
            "\"mode\":\"\(mode.rawValue)\"", "\"batch_size\":\(batchSize)", "\"active_only\":\(isActiveOnly)",
            "\"with_stock_only\":\(isWithStockOnly)", "\"images\":\(includesImages)", "\"details\":\(includesDetails)",
        ]
        if let modifiedSince { members.append("\"modified_since\":\"\(Timestamp.text(modifiedSince))\"") }
        return "{\(members.joined(separator: ","))}"
    }
}

/// Options that cannot be followed.
package enum SyncOptionsError: Error, Sendable, Hashable, CustomStringConvertible {
    case unknownEntity(String)
    case batchSize(Int)

    package var description: String {
        switch self {
        case .unknownEntity(let name):
            "There is no entity \(name). Choose from: \(Catalog.entities.map(\.entity.name).joined(separator: ", "))."
        case .batchSize(let size):
            "The batch size must be from 10 to 200, not \(size)."
        }
    }
}

extension SyncOptions {
    /// The entities in the order of their references, or why the options cannot be followed.
    package func validated() throws(SyncOptionsError) -> [EntityMapping] {
        guard (10...200).contains(batchSize) else { throw .batchSize(batchSize) }
        for name in entities where Catalog.entity(named: name) == nil { throw .unknownEntity(name) }
        return Catalog.entities.filter { entities.isEmpty || entities.contains($0.entity.name) }
    }
}
