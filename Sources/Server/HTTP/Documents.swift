import Database
import Foundation
import Hummingbird
package import Mirror
import NIOCore
import ZohoBooks

/// A run as JSON for machines.
package struct RunDocument: Encodable, Sendable {
    package let id: Int64
    package let entity: String
    package let kind: String
    package let state: String
    package let startedAt: String
    @Nullable package private(set) var finishedAt: String?
    package let fetched: Int
    package let counts: [String: Int]
    package let skipped: Int
    package let calls: Int
    package let pages: Int
    package let details: Int
    @Nullable package private(set) var detailsOutstanding: Int?
    package let listMilliseconds: Int
    package let detailMilliseconds: Int
    package let fieldFaults: [String: Int]
    @Nullable package private(set) var error: String?

    package init(_ run: Run) {
        id = run.id
        entity = run.entity
        kind = run.kind.rawValue
        state = run.state.rawValue
        startedAt = Timestamp.text(run.startedAt)
        finishedAt = run.finishedAt.map { Timestamp.text($0) }
        let progress = run.progress
        fetched = progress.fetched
        counts = Dictionary(uniqueKeysWithValues: Outcome.allCases.map { ($0.rawValue, progress[$0]) })
        skipped = progress.skipped
        calls = progress.calls
        pages = progress.pages
        details = progress.details
        detailsOutstanding = progress.detailsOutstanding
        listMilliseconds = progress.listMilliseconds
        detailMilliseconds = progress.detailMilliseconds
        fieldFaults = progress.faults.fields.mapValues(\.count)
        error = run.lastError
    }
}

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

extension Encodable {
    /// The value as JSON with `snake_case` keys in a fixed order.
    package var json: String { json(indented: false) }

    /// The value as JSON with `snake_case` keys in a fixed order.
    package func json(indented: Bool) -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if indented { encoder.outputFormatting.insert(.prettyPrinted) }
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

extension Response {
    /// An answer in JSON.
    static func json(_ status: HTTPResponse.Status = .ok, _ document: some Encodable) -> Response {
        json(status, text: document.json)
    }

    /// An answer whose JSON is written already.
    static func json(_ status: HTTPResponse.Status = .ok, text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
