package import ZohoBooks

/// A webhook's body as HTTP brought it, and the JSON that is in it (reference, section 8.2).
package struct WebhookBody: Sendable {
    /// Bytes that a body may have, before and after it is unpacked.
    package static let limit = 1 << 20

    /// The body without its compression.
    package let bytes: [UInt8]
    /// The same without a mark of its byte order, which some editors put in front of a template.
    private let text: ArraySlice<UInt8>
    /// The pairs of a form; nil for any other body.
    package let form: FormPairs?

    package init(_ bytes: [UInt8], contentType: String?) {
        self.bytes = bytes
        let saysForm = contentType?.lowercased().hasPrefix("application/x-www-form-urlencoded") == true
        // A template may hold JSON whatever type its rule names.
        text = bytes.dropFirst(bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0)
        let isJSON = text.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
        let isForm = text.starts(with: "JSONString=".utf8) || saysForm && !isJSON
        form = isForm ? FormPairs(String(decoding: text, as: UTF8.self)) : nil
    }

    /// True for a test call, and for a rule whose body was never set.
    package var isEmpty: Bool { text.allSatisfy { [0x20, 0x09, 0x0A, 0x0D].contains($0) } }

    /// The JSON: the body itself, a form's `JSONString`, or an object of a form's fields.
    package var json: RawJSON {
        guard let form else { return RawJSON(trimmed(text)) }
        if let text = form["JSONString"] { return RawJSON(trimmed(Array(text.utf8)[...])) }
        var output: [UInt8] = [UInt8(ascii: "{")]
        for (position, pair) in form.pairs.enumerated() {
            if position > 0 { output.append(UInt8(ascii: ",")) }
            CanonicalJSON.quote(pair.key, to: &output)
            output.append(UInt8(ascii: ":"))
            // Objects and arrays are sent as JSON, everything else as plain text, which may look like either.
            if isStructured(pair.value) {
                output += pair.value.utf8
            } else {
                CanonicalJSON.quote(pair.value, to: &output)
            }
        }
        output.append(UInt8(ascii: "}"))
        return RawJSON(output[...])
    }

    private func isStructured(_ text: String) -> Bool {
        guard text.hasPrefix("{") || text.hasPrefix("[") else { return false }
        return (try? RawJSON(text).read { _ in true }) ?? false
    }

    private func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var slice = bytes
        while let first = slice.first, [0x20, 0x09, 0x0A, 0x0D].contains(first) { slice.removeFirst() }
        while let last = slice.last, [0x20, 0x09, 0x0A, 0x0D].contains(last) { slice.removeLast() }
        return slice
    }
}
