/// A strict, allocation-free reader of JSON text (RFC 8259) that finds where values begin and end.
struct JSONScanner {
    /// Deeper nesting is refused, so that hostile input cannot exhaust the stack.
    ///
    /// Zoho's records nest about 5 deep.
    static let maximumDepth = 128

    let base: UnsafePointer<UInt8>
    let end: Int
    var position = 0

    init(base: UnsafePointer<UInt8>, end: Int, position: Int = 0) {
        self.base = base
        self.end = end
        self.position = position
    }

    /// Reads the value at the current position, after white space.
    mutating func value(depth: Int = 0) throws(JSONSyntaxError) -> JSONView {
        let first = try nextToken()
        let start = position
        let kind: JSONView.Kind
        switch first {
        case UInt8(ascii: "{"):
            kind = .object
            try container(closing: UInt8(ascii: "}"), hasKeys: true, depth: depth)
        case UInt8(ascii: "["):
            kind = .array
            try container(closing: UInt8(ascii: "]"), hasKeys: false, depth: depth)
        case UInt8(ascii: "\""):
            kind = .string
            try string()
        case UInt8(ascii: "t"):
            kind = .bool(true)
            try literal("true")
        case UInt8(ascii: "f"):
            kind = .bool(false)
            try literal("false")
        case UInt8(ascii: "n"):
            kind = .null
            try literal("null")
        default:
            kind = .number
            try number()
        }
        return JSONView(kind: kind, base: base, start: start, end: position)
    }

    /// The next byte that is not white space, without consuming it.
    @inline(__always)
    mutating func nextToken() throws(JSONSyntaxError) -> UInt8 {
        while position < end {
            let byte = base[position]
            if byte > 0x20 { return byte }
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else {
                throw .unexpectedByte(byte, at: position)
            }
            position += 1
        }
        throw .unexpectedEnd(at: end)
    }

    mutating func expect(_ byte: UInt8) throws(JSONSyntaxError) {
        let found = try nextToken()
        guard found == byte else { throw .unexpectedByte(found, at: position) }
        position += 1
    }

    mutating func expectEnd() throws(JSONSyntaxError) {
        while position < end {
            let byte = base[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else {
                throw .unexpectedByte(byte, at: position)
            }
            position += 1
        }
    }

    private mutating func container(closing: UInt8, hasKeys: Bool, depth: Int) throws(JSONSyntaxError) {
        guard depth < Self.maximumDepth else { throw .tooDeep(at: position) }
        position += 1
        if try nextToken() == closing {
            position += 1
            return
        }
        while true {
            if hasKeys { try key() }
            _ = try value(depth: depth + 1)
            if try separatorOrEnd(closing) { return }
        }
    }

    /// Consumes an object whose opening brace is at the current position, and calls `body` with each member.
    mutating func members(_ body: (UnsafeBufferPointer<UInt8>, JSONView) throws -> Void) throws {
        position += 1
        if try nextToken() == UInt8(ascii: "}") {
            position += 1
            return
        }
        repeat {
            let key = try key()
            let value = try value(depth: 1)
            try body(UnsafeBufferPointer(start: base + key.lowerBound, count: key.count), value)
        } while try !separatorOrEnd(UInt8(ascii: "}"))
    }

    /// The same, and calls `element` with each element of the list of that key before `body` is called with the list.
    mutating func members(
        elementsOf list: String, element: (JSONView) throws -> Void,
        _ body: (UnsafeBufferPointer<UInt8>, JSONView) throws -> Void
    ) throws {
        position += 1
        if try nextToken() == UInt8(ascii: "}") {
            position += 1
            return
        }
        repeat {
            let range = try key()
            let key = UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
            guard key.elementsEqual(list.utf8), try nextToken() == UInt8(ascii: "[") else {
                try body(key, try value(depth: 1))
                continue
            }
            let start = position
            try elements(element)
            try body(key, JSONView(kind: .array, base: base, start: start, end: position))
        } while try !separatorOrEnd(UInt8(ascii: "}"))
    }

    /// Consumes an array whose opening bracket is at the current position, and calls `body` with each element.
    mutating func elements(_ body: (JSONView) throws -> Void) throws {
        position += 1
        if try nextToken() == UInt8(ascii: "]") {
            position += 1
            return
        }
        repeat {
            try body(try value(depth: 2))
        } while try !separatorOrEnd(UInt8(ascii: "]"))
    }

    /// Consumes `"key" :`.
    @discardableResult
    mutating func key() throws(JSONSyntaxError) -> Range<Int> {
        let quote = try nextToken()
        guard quote == UInt8(ascii: "\"") else { throw .unexpectedByte(quote, at: position) }
        let start = position + 1
        try string()
        let range = start..<(position - 1)
        try expect(UInt8(ascii: ":"))
        return range
    }

    /// Consumes `,` (false) or `closing` (true).
    @inline(__always)
    mutating func separatorOrEnd(_ closing: UInt8) throws(JSONSyntaxError) -> Bool {
        let byte = try nextToken()
        guard byte == closing || byte == UInt8(ascii: ",") else { throw .unexpectedByte(byte, at: position) }
        position += 1
        return byte == closing
    }

    /// Consumes a string whose opening quote is at the current position.
    @inline(__always)
    private mutating func string() throws(JSONSyntaxError) {
        var index = position + 1
        while index + 8 <= end {
            let suspects = Self.suspects(in: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
            guard suspects != 0 else {
                index += 8
                continue
            }
            index += UInt64(littleEndian: suspects).trailingZeroBitCount / 8
            switch base[index] {
            case UInt8(ascii: "\""):
                position = index + 1
                return
            case UInt8(ascii: "\\"): index += 2
            default: throw .unexpectedByte(base[index], at: index)
            }
        }
        while index < end {
            let byte = base[index]
            if byte == UInt8(ascii: "\"") {
                position = index + 1
                return
            }
            if byte == UInt8(ascii: "\\") {
                index += 2
            } else {
                guard byte >= 0x20 else { throw .unexpectedByte(byte, at: index) }
                index += 1
            }
        }
        throw .unexpectedEnd(at: end)
    }

    /// Sets the high bit of each byte that is a quotation mark, a backslash or a control character; exact up to the first
    /// one set, which is all that is asked.
    @inline(__always)
    private static func suspects(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* 0x22)
        let slashes = word ^ (ones &* 0x5C)
        return (((word &- ones &* 0x20) & ~word) | ((quotes &- ones) & ~quotes) | ((slashes &- ones) & ~slashes))
            & (ones << 7)
    }

    private mutating func literal(_ text: StaticString) throws(JSONSyntaxError) {
        for offset in 0..<text.utf8CodeUnitCount {
            guard position < end else { throw .unexpectedEnd(at: end) }
            guard base[position] == text.utf8Start[offset] else { throw .unexpectedByte(base[position], at: position) }
            position += 1
        }
    }

    private mutating func number() throws(JSONSyntaxError) {
        let start = position
        if base[position] == UInt8(ascii: "-") { position += 1 }
        let integerStart = position
        try digits()
        if base[integerStart] == UInt8(ascii: "0"), position - integerStart > 1 {
            throw .unexpectedByte(base[integerStart + 1], at: integerStart + 1)
        }
        if position < end, base[position] == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if position < end, base[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < end, base[position] == UInt8(ascii: "+") || base[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits()
        }
        assert(position > start)
    }

    @inline(__always)
    private mutating func digits() throws(JSONSyntaxError) {
        let start = position
        while position < end, base[position] &- UInt8(ascii: "0") < 10 { position += 1 }
        guard position > start else {
            guard position < end else { throw .unexpectedEnd(at: end) }
            throw .unexpectedByte(base[position], at: position)
        }
    }
}
