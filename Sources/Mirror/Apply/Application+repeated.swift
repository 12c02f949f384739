import Catalog
import Database

extension Application {
    /// Notes that rows of other entities repeat what has changed, so that their details are read again.
    ///
    /// Zoho moves no time there: an item still names its vendor as before until it is read.
    func outdateRepetitions(of changes: [RecordChange]) throws {
        for other in Catalog.entities {
            for repeated in other.entity.repeated where repeated.entity == mapping.entity.name {
                // A vendor that is gone was merged into another, whose name its items have now.
                let ids = changes.filter { $0.outcome == .deleted || $0.fields.contains(repeated.column) }
                    .map(\.zohoID)
                guard !ids.isEmpty else { continue }
                try transaction.execute(
                    """
                    update \(other.entity.name) set detail_due = $1
                    where \(transaction.dialect.contains(repeated.key, "$2"))
                        and detail_due = $3 and detail_synced_at is not null and deleted_at is null
                    """, [.boolean(true), .texts(ids), .boolean(false)])
            }
        }
    }
}
