import Database
package import Mirror
import ZohoBooks

/// An entry of the change log as JSON for machines.
///
/// Written by hand: a follower that catches up is sent every entry, and an encoder takes twenty times as long.
package enum ChangeDocument {
    /// The entry on one line; its changes are JSON already and are put in as they are.
    package static func json(_ change: Change) -> String {
        var text = "{\"changed_at\":\"\(Timestamp.text(change.changedAt))\",\"content_hash\":"
        text += quoted(change.contentHash)
        text +=
            ",\"delivery_id\":\(number(change.deliveryID)),\"entity\":\(quoted(change.entity)),\"id\":\(change.id),\"kind\":\(quoted(change.kind))"
        text += ",\"request_id\":\(change.requestID.map { quoted($0) } ?? "null"),\"run_id\":\(number(change.runID))"
        text += ",\"zoho_id\":\(quoted(change.zohoID)),\"changes\":\(change.changes?.description ?? "null")"
        return text + "}"
    }

    private static func number(_ id: Int64?) -> String { id.map { "\($0)" } ?? "null" }

    private static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        return isPlain ? "\"\(text)\"" : text.json
    }
}
