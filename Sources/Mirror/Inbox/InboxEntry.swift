package import Catalog
package import ZohoBooks

/// A webhook delivery that a worker has claimed in the inbox; docs/states.md draws what becomes of it.
///
/// Entries that wait are never read without being claimed, so every value of this type is a claimed one.
package struct InboxEntry: Sendable, Hashable {
    /// What is to be done with the record.
    package enum Kind: String, Sendable, Hashable {
        /// Apply the record that was delivered.
        case record
        /// Find out whether the record is gone.
        case deletion
        /// Read the record again.
        case mark

        /// What is to be done about a delivery.
        package init(_ delivery: Delivery, of webhook: Webhook, isDeletion: Bool) {
            self =
                isDeletion && webhook.content == .records ? .deletion : delivery.record == nil ? .mark : .record
        }
    }

    /// Its id in `sync_inbox`.
    package let id: Int64
    /// The entity's name, as it was stored; an older program need not know it.
    package let entity: String
    package let kind: Kind
    package let zohoID: String
    /// The record as it was delivered; a mark has none, and a deletion only the last one that Zoho had.
    package let record: RawJSON?
    /// Microseconds since 1970.
    package let receivedAt: Int64
    /// How many attempts have failed.
    package let failures: Int
    /// How many claims of it in a row ended without being given back, as they do where the process dies.
    package let deaths: Int
    /// Which worker has claimed it; see ``HolderName``.
    package let holder: String
    /// The request that brought it.
    package let requestID: String?
    /// Whether its calls may use the reserve that is kept for people and webhooks.
    package let priority: CallPriority

    /// The entry as what it brings is traced back to it.
    package var reference: DeliveryReference { DeliveryReference(id: id, requestID: requestID) }
}

/// A delivery that has just been received.
package struct NewDelivery: Sendable {
    /// What is known of it.
    package enum Content: Sendable {
        case readable(InboxEntry.Kind, zohoID: String, record: RawJSON?)
        /// It cannot be told which record it is about; it becomes a dead letter.
        case unreadable(body: [UInt8], reason: String, source: DeliverySource? = nil)
    }

    package let entity: String
    package let content: Content
    /// Microseconds since 1970.
    package let receivedAt: Int64
    /// The request that brought it.
    package let requestID: String?

    package init(entity: String, content: Content, receivedAt: Int64, requestID: String?) {
        self.entity = entity
        self.content = content
        self.receivedAt = receivedAt
        self.requestID = requestID
    }

    /// Bytes that its content takes.
    package var bytes: Int {
        switch content {
        case .readable(_, _, let record): record?.bytes.count ?? 0
        case .unreadable(let body, _, _): body.count
        }
    }
}

/// How a delivery came, where its body does not say so.
package struct DeliverySource: Sendable, Hashable {
    /// The last part of the path to which it came: `products`.
    package let webhook: String
    /// Whether it came to say that the record is gone.
    package let isDeletion: Bool
    /// The `Content-Type` header; nil where the request had none.
    package let contentType: String?

    package init(webhook: String, isDeletion: Bool, contentType: String?) {
        self.webhook = webhook
        self.isDeletion = isDeletion
        self.contentType = contentType
    }
}

/// What waits in the inbox.
package struct InboxDepth: Sendable, Hashable {
    /// Entries, claimed ones included.
    package let count: Int
    /// When the oldest was received, in microseconds since 1970; nil where none waits.
    package let oldestReceivedAt: Int64?
}
