import Database
package import Mirror
import ZohoBooks

/// An entry of the change log as JSON for machines.
package struct ChangeDocument: Encodable {
    let id: Int64
    let entity: String
    let zohoId: String
    let kind: String
    let changedAt: String
    let runId: Int64?
    let deliveryId: Int64?
    let requestId: String?
    let contentHash: String

    /// The entry on one line; its changes are JSON already and are put in as they are.
    package static func json(_ change: Change) -> String {
        let document = ChangeDocument(
            id: change.id, entity: change.entity, zohoId: change.zohoID, kind: change.kind,
            changedAt: Timestamp.text(change.changedAt), runId: change.runID, deliveryId: change.deliveryID,
            requestId: change.requestID, contentHash: change.contentHash
        ).json
        guard let changes = change.changes else { return document }
        return "\(document.dropLast()),\"changes\":\(changes.description)}"
    }
}
