import Foundation

/// The frame of an answer: Zoho's code and message, the records or record, and the page context.
///
/// Read in one pass over the bytes; records are cut out, not decoded.
struct Envelope {
    var code = 0
    var message = ""
    /// The elements of the list that was asked for; nil where the answer has no such key.
    var records: [RawJSON]?
    /// The object that was asked for.
    var record: RawJSON?
    var hasMore = false
    var total: Int?
    var sortColumn: String?
    private var hasCode = false

    /// Reads an answer.
    ///
    /// - Throws: ``JSONSyntaxError`` where it is not JSON, is cut off, or is no answer of the API's.
    init(_ body: [UInt8], key: String) throws {
        let text = RawJSON(body[...])
        var elements: [RawJSON] = []
        elements.reserveCapacity(200)
        try text.readObject(elementsOf: key) {
            elements.append($0.raw(in: text))
        } member: { name, value in
            if name.elementsEqual("code".utf8) {
                code = Int(try value.text()) ?? -1
                hasCode = true
            } else if name.elementsEqual("message".utf8) {
                message = value.kind == .string ? try value.text() : ""
            } else if name.elementsEqual("page_context".utf8) {
                try readContext(value)
            } else if name.elementsEqual(key.utf8) {
                if value.kind == .array {
                    records = elements
                } else if value.kind == .object {
                    record = value.raw(in: text)
                }
            }
        }
        guard hasCode else { throw JSONSyntaxError.wrongType(expected: "an answer of Zoho's API") }
    }

    private mutating func readContext(_ context: JSONView) throws {
        guard context.kind == .object else { return }
        if let more = try context.member("has_more_page") { hasMore = try more.text() == "true" }
        if let total = try context.member("count") ?? context.member("total"), !total.isBlank {
            self.total = Int(try total.text())
        }
        if let column = try context.member("sort_column"), column.kind == .string { sortColumn = try column.text() }
    }
}

extension Envelope {
    /// What an answer to `call` amounts to: status and code must both say success (reference, section 3.1), and what
    /// was asked for must be there.
    static func read(_ answer: Transport.Answer, for call: Call) -> Result<Envelope, CallFailure> {
        let status = answer.status
        do {
            let envelope = try Envelope(answer.body, key: call.key)
            guard status < 400, envelope.code == 0 else {
                return .failure(.refused(status: status, code: envelope.code, message: envelope.message))
            }
            let isThere = call.kind == .detail ? envelope.record != nil : envelope.records != nil
            guard isThere, status < 300 else {
                return .failure(.unreadable(status: status, "an answer without \(call.key)"))
            }
            return .success(envelope)
        } catch {
            let reason = answer.body.isEmpty ? "an empty answer" : "an answer that is not complete JSON"
            return .failure(.unreadable(status: status, (300..<400).contains(status) ? "a redirect" : reason))
        }
    }
}
