import Database
import Foundation
package import Mirror
import ZohoBooks

/// A dead letter as JSON for machines, with the record as it came.
package struct DeadLetterDocument: Encodable, Sendable {
    let id: Int64
    let entity: String
    @Nullable var zohoId: String?
    let shape: String
    let reason: String
    @Nullable var code: String?
    let attempts: Int
    let firstFailedAt: String
    let lastFailedAt: String
    @Nullable var requestId: String?
    @Nullable var webhook: String?
    @Nullable var event: String?
    /// As it came, where that is text.
    @Nullable var record: String?
    /// As it came, where it is not.
    @Nullable var recordBase64: String?

    package init(_ letter: DeadLetter) {
        id = letter.id
        entity = letter.entity
        zohoId = letter.zohoID
        shape = letter.form.rawValue
        reason = letter.reason
        code = letter.code
        attempts = letter.attempts
        firstFailedAt = Timestamp.text(letter.firstFailedAt)
        lastFailedAt = Timestamp.text(letter.lastFailedAt)
        requestId = letter.requestID
        webhook = letter.source?.webhook
        event = letter.source?.isDeletion == true ? "deleted" : nil
        let text = String(validating: letter.record.bytes, as: UTF8.self)
        record = text
        recordBase64 = text == nil ? Data(letter.record.bytes).base64EncodedString() : nil
    }
}
