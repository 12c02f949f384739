/// A JSON value in place: its type and where its bytes are.
///
/// Valid only inside ``RawJSON/read(_:)``.
package struct JSONView {
    /// The type of a JSON value.
    package enum Kind: Sendable, Hashable {
        case object
        case array
        case string
        case number
        case bool(Bool)
        case null
    }

    package let kind: Kind
    let base: UnsafePointer<UInt8>
    let start: Int
    let end: Int

    /// The value's bytes; a string's with its quotes.
    package var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base + start, count: end - start)
    }

    /// A string's bytes between the quotes, escapes untouched; of any other value, its bytes.
    package var content: UnsafeBufferPointer<UInt8> {
        guard kind == .string else { return bytes }
        return UnsafeBufferPointer(start: base + start + 1, count: end - start - 2)
    }

    /// True for null and for `""`, which is how Zoho says that a value is not there.
    package var isBlank: Bool {
        switch kind {
        case .null: true
        case .string: end - start == 2
        default: false
        }
    }

    /// Calls `body` with each member of an object, in order.
    ///
    /// Keys are given raw, between their quotes.
    package func members(_ body: (UnsafeBufferPointer<UInt8>, JSONView) throws -> Void) throws {
        guard kind == .object else { throw JSONSyntaxError.wrongType(expected: "an object") }
        var scanner = JSONScanner(base: base, end: end, position: start)
        try scanner.members(body)
    }

    /// A key's text with its escapes resolved, from the bytes that ``members(_:)`` gives.
    package static func text(ofKey key: UnsafeBufferPointer<UInt8>) throws -> String {
        guard let first = key.baseAddress else { return "" }
        // The key stands between its quotes in the text, which makes it a string value like any other.
        return try JSONView(kind: .string, base: first - 1, start: 0, end: key.count + 2).text()
    }

    /// Calls `body` with each element of an array, in order.
    package func elements(_ body: (JSONView) throws -> Void) throws {
        guard kind == .array else { throw JSONSyntaxError.wrongType(expected: "an array") }
        var scanner = JSONScanner(base: base, end: end, position: start)
        try scanner.elements(body)
    }

    /// The value of the member `name` of an object, or nil where there is none.
    package func member(_ name: String) throws -> JSONView? {
        var found: JSONView?
        try members { key, value in
            if key.count == name.utf8.count, key.elementsEqual(name.utf8) { found = value }
        }
        return found
    }

    /// The value's bytes as a slice of the text it was cut from, so that they can outlive the reading.
    package func raw(in text: RawJSON) -> RawJSON {
        let first = text.bytes.startIndex
        return RawJSON(text.bytes[(first + start)..<(first + end)])
    }

    /// A string's text with its escapes resolved; a number's or literal's own characters.
    ///
    /// - Throws: ``JSONSyntaxError/invalidString(at:)`` for invalid escapes and for bytes that are not UTF-8.
    package func text() throws -> String {
        let content = content
        var hasEscape = false
        var isASCII = true
        for byte in content {
            hasEscape = hasEscape || byte == UInt8(ascii: "\\")
            isASCII = isASCII && byte < 0x80
        }
        guard kind == .string, hasEscape else {
            // Validation costs more than everything else that mapping does with a short ASCII text.
            if isASCII { return String(decoding: content, as: UTF8.self) }
            guard let text = String(validating: content, as: UTF8.self) else {
                throw JSONSyntaxError.invalidString(at: start)
            }
            return text
        }
        return try unescaped(content)
    }

    private func unescaped(_ content: UnsafeBufferPointer<UInt8>) throws -> String {
        var output: [UInt8] = []
        output.reserveCapacity(content.count)
        var index = 0
        while index < content.count {
            let byte = content[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                output.append(byte)
                continue
            }
            let escape = content[index]
            index += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(escape)
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "u"): output.append(contentsOf: try unicodeEscape(content, &index).utf8)
            default: throw JSONSyntaxError.invalidString(at: start)
            }
        }
        guard let text = String(validating: output, as: UTF8.self) else {
            throw JSONSyntaxError.invalidString(at: start)
        }
        return text
    }

    /// Reads `XXXX` after `\u`, and the second half of a surrogate pair where there is one.
    private func unicodeEscape(_ content: UnsafeBufferPointer<UInt8>, _ index: inout Int) throws -> String {
        func fourDigits() throws -> UInt32 {
            guard index + 4 <= content.count,
                let digits = String(validating: content[index..<(index + 4)], as: UTF8.self),
                digits.allSatisfy(\.isHexDigit), let value = UInt32(digits, radix: 16)
            else { throw JSONSyntaxError.invalidString(at: start) }
            index += 4
            return value
        }
        var value = try fourDigits()
        if (0xD800..<0xDC00).contains(value) {
            guard index + 6 <= content.count, content[index] == UInt8(ascii: "\\"),
                content[index + 1] == UInt8(ascii: "u")
            else { throw JSONSyntaxError.invalidString(at: start) }
            index += 2
            let low = try fourDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw JSONSyntaxError.invalidString(at: start) }
            value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw JSONSyntaxError.invalidString(at: start) }
        return String(Character(scalar))
    }
}
