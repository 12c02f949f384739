/// What taking back a run has changed, or would change, counted in records.
package struct UndoReport: Sendable, Hashable {
    /// Rows that the run had inserted and that are gone, with their children.
    package var removed = 0
    /// Rows that have the values again that they had before.
    package var reverted = 0
    /// Rows that the run had marked as deleted and that are there again.
    package var undeleted = 0
    /// Rows that the run had brought back and that are marked as deleted again.
    package var deletedAgain = 0
    /// Records that somebody else has changed since, which stay as they are.
    package var leftAlone = 0
    /// Dead letters that were closed.
    package var lettersClosed = 0
    /// Deliveries that waited to be applied and were dropped, where everything is taken back.
    package var deliveriesDropped = 0

    package init() {}

    /// Rows that were changed.
    package var changed: Int { removed + reverted + undeleted + deletedAgain }

    mutating func add(_ other: UndoReport) {
        removed += other.removed
        reverted += other.reverted
        undeleted += other.undeleted
        deletedAgain += other.deletedAgain
        leftAlone += other.leftAlone
        lettersClosed += other.lettersClosed
        deliveriesDropped += other.deliveriesDropped
    }
}
