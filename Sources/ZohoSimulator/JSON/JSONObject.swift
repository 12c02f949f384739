/// Reads and rewrites the top level of one JSON object without parsing what lies below.
enum JSONObject {
    /// The members of an object in order: the key as it stands between its quotes, and where its value is.
    ///
    /// The text must be valid JSON; callers check text from outside first.
    static func members(of text: [UInt8]) -> [(key: String, value: Range<Int>)] {
        var members: [(key: String, value: Range<Int>)] = []
        var position = (text.firstIndex(of: UInt8(ascii: "{")) ?? text.endIndex) + 1
        while let quote = text[min(position, text.endIndex)...].firstIndex(of: UInt8(ascii: "\"")) {
            let afterKey = endOfString(text, from: quote)
            let key = String(decoding: text[(quote + 1)..<(afterKey - 1)], as: UTF8.self)
            guard let colon = text[afterKey...].firstIndex(of: UInt8(ascii: ":")) else { break }
            var start = colon + 1
            while start < text.endIndex, isSpace(text[start]) { start += 1 }
            let end = endOfValue(text, from: start)
            members.append((key, start..<end))
            position = end
        }
        return members
    }

    /// The raw text of one member's value.
    static func value(of key: String, in text: [UInt8]) -> ArraySlice<UInt8>? {
        members(of: text).first { $0.key == key }.map { text[$0.value] }
    }

    /// The content of a string value, or the text of any other, unescaped only as far as the simulator itself needs.
    static func text(of key: String, in text: [UInt8]) -> String? {
        value(of: key, in: text).map { raw in
            let isString = raw.first == UInt8(ascii: "\"")
            return String(decoding: isString ? raw.dropFirst().dropLast() : raw, as: UTF8.self)
        }
    }

    /// Writes `object` with the values of `changes` in place of its own; a nil value takes the member out.
    ///
    /// - Parameter adding: whether members that the object lacks are added at its end.
    static func write(
        _ object: [UInt8], changing changes: [String: [UInt8]?], adding: Bool, to writer: inout JSONWriter
    ) {
        var pending = changes
        var written = 0
        func name(_ key: String, _ writer: inout JSONWriter) {
            writer.comma(before: written)
            writer.raw("\"")
            writer.text(key)
            writer.raw("\":")
            written += 1
        }
        writer.raw("{")
        for (key, range) in members(of: object) {
            guard let change = pending.removeValue(forKey: key) else {
                name(key, &writer)
                writer.raw(object[range])
                continue
            }
            guard let change else { continue }
            name(key, &writer)
            writer.raw(change)
        }
        for (key, change) in pending.sorted(by: { $0.key < $1.key }) where adding {
            guard let change else { continue }
            name(key, &writer)
            writer.raw(change)
        }
        writer.raw("}")
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// Where a string ends that starts with the quote.
    static func endOfString(_ text: [UInt8], from quote: Int) -> Int {
        var position = quote + 1
        while position < text.endIndex, text[position] != UInt8(ascii: "\"") {
            position += text[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(position + 1, text.endIndex)
    }

    /// Where a value ends that starts here.
    static func endOfValue(_ text: [UInt8], from start: Int) -> Int {
        var depth = 0
        var position = start
        while position < text.endIndex {
            switch text[position] {
            case UInt8(ascii: "\""):
                position = endOfString(text, from: position)
                if depth == 0 { return position }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return trimmed(text, start: start, end: position) }
                depth -= 1
                if depth == 0 { return position + 1 }
            case UInt8(ascii: ","): if depth == 0 { return trimmed(text, start: start, end: position) }
            default: break
            }
            position += 1
        }
        return position
    }

    private static func trimmed(_ text: [UInt8], start: Int, end: Int) -> Int {
        var end = end
        while end > start, isSpace(text[end - 1]) { end -= 1 }
        return end
    }
}
