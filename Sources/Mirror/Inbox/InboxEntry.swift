package import ZohoBooks

/// A webhook delivery that waits in the inbox.
///
/// ```mermaid
/// stateDiagram-v2
///     [*] --> waiting: stored, then acknowledged
///     waiting --> claimed: a worker's lease
///     claimed --> waiting: the lease ends, or the attempt failed (available again after a pause)
///     claimed --> [*]: applied in one transaction with its removal
///     claimed --> deadLetter: the fifth attempt failed, or the record cannot be applied
/// ```
package struct InboxEntry: Sendable, Hashable {
    /// What is to be done with the record.
    package enum Kind: String, Sendable, Hashable {
        /// Apply the record that was delivered.
        case record
        /// Find out whether the record is gone.
        case deletion
        /// Read the record again.
        case mark
    }

    package let id: Int64
    package let entity: String
    package let kind: Kind
    package let zohoID: String
    /// The record as it was delivered; a mark has none, and a deletion only the last one that Zoho had.
    package let record: RawJSON?
    /// Microseconds since 1970.
    package let receivedAt: Int64
    /// How often it was claimed, this time included.
    package let attempts: Int
    /// The request that brought it.
    package let requestID: String?

    /// The entry as what it brings is traced back to it.
    package var reference: DeliveryReference { DeliveryReference(id: id, requestID: requestID) }
}

/// A delivery that has just been received.
package struct NewDelivery: Sendable {
    /// What is known of it.
    package enum Content: Sendable {
        case readable(InboxEntry.Kind, zohoID: String, record: RawJSON?)
        /// Nobody can tell which record it is about; it becomes a dead letter.
        case unreadable(body: [UInt8], reason: String)
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
}

/// What waits in the inbox.
package struct InboxDepth: Sendable, Hashable {
    /// Entries, claimed ones included.
    package let count: Int
    /// When the oldest was received, in microseconds since 1970; nil where none waits.
    package let oldestReceivedAt: Int64?
}
