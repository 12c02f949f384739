package import ZohoBooks

extension FieldValue {
    /// More digits than this are refused; PostgreSQL's `numeric` holds far more, money never needs them.
    static let maximumDigits = 300

    /// Reads a decimal from a number, a numeric string (with `%` perhaps) or a blank, digit by digit.
    package static func decimal(from view: JSONView) -> FieldValue? {
        switch view.kind {
        case .number, .string:
            if view.isBlank { return .null }
            return canonicalDecimal(view.content).map { .decimal($0) }
        case .null:
            return .null
        case .object, .array, .bool:
            return nil
        }
    }

    /// Whether a value that ``decimal(from:)`` does not take is a number all the same, of too many digits.
    static func hasTooManyDigits(_ view: JSONView) -> Bool {
        switch view.kind {
        // The grammar of JSON lets no other number through.
        case .number: true
        case .string:
            view.content.count > maximumDigits
                && view.content.allSatisfy { $0 &- UInt8(ascii: "0") < 10 || ".-+ %".utf8.contains($0) }
        case .object, .array, .bool, .null: false
        }
    }

    /// The canonical digits of a decimal, or nil where the text is none.
    ///
    /// `042.50` gives `42.5`, `-0.0` gives `0`, `1.5e3` gives `1500`.
    package static func canonicalDecimal(_ text: UnsafeBufferPointer<UInt8>) -> String? {
        var index = 0
        var end = text.count
        while index < end, text[index] == UInt8(ascii: " ") { index += 1 }
        while end > index, text[end - 1] == UInt8(ascii: " ") || text[end - 1] == UInt8(ascii: "%") { end -= 1 }
        guard index < end, end - index <= maximumDigits else { return nil }
        let isNegative = text[index] == UInt8(ascii: "-")
        if isNegative || text[index] == UInt8(ascii: "+") { index += 1 }

        let integerStart = index
        while index < end, text[index] &- UInt8(ascii: "0") < 10 { index += 1 }
        var integer = text[integerStart..<index]
        var fraction = text[index..<index]
        if index < end, text[index] == UInt8(ascii: ".") {
            index += 1
            let start = index
            while index < end, text[index] &- UInt8(ascii: "0") < 10 { index += 1 }
            fraction = text[start..<index]
        }
        guard !integer.isEmpty || !fraction.isEmpty else { return nil }
        if index < end {
            return scientific(integer, fraction, exponent: text[index..<end], isNegative: isNegative)
        }
        while let first = integer.first, first == UInt8(ascii: "0") { integer = integer.dropFirst() }
        while let last = fraction.last, last == UInt8(ascii: "0") { fraction = fraction.dropLast() }
        return plain(integer, fraction, isNegative: isNegative)
    }

    private static func plain(
        _ integer: some Collection<UInt8>, _ fraction: some Collection<UInt8>, isNegative: Bool
    ) -> String {
        if integer.isEmpty && fraction.isEmpty { return "0" }
        let count = (isNegative ? 1 : 0) + max(1, integer.count) + (fraction.isEmpty ? 0 : 1 + fraction.count)
        return String(unsafeUninitializedCapacity: count) { buffer in
            var position = 0
            func put(_ byte: UInt8) {
                buffer[position] = byte
                position += 1
            }
            if isNegative { put(UInt8(ascii: "-")) }
            if integer.isEmpty { put(UInt8(ascii: "0")) }
            for byte in integer { put(byte) }
            if !fraction.isEmpty {
                put(UInt8(ascii: "."))
                for byte in fraction { put(byte) }
            }
            return position
        }
    }

    private static func scientific(
        _ integer: Slice<UnsafeBufferPointer<UInt8>>, _ fraction: Slice<UnsafeBufferPointer<UInt8>>,
        exponent: Slice<UnsafeBufferPointer<UInt8>>, isNegative: Bool
    ) -> String? {
        guard let marker = exponent.first, marker | 0x20 == UInt8(ascii: "e"),
            let shift = Int(String(decoding: exponent.dropFirst(), as: UTF8.self)),
            (-maximumDigits...maximumDigits).contains(shift)
        else { return nil }
        var digits = Array(integer) + Array(fraction)
        var point = integer.count + shift
        if point < 0 {
            digits.insert(contentsOf: repeatElement(UInt8(ascii: "0"), count: -point), at: 0)
            point = 0
        } else if point > digits.count {
            digits.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: point - digits.count))
        }
        let whole = digits[..<point].drop { $0 == UInt8(ascii: "0") }
        var rest = digits[point...]
        while rest.last == UInt8(ascii: "0") { rest = rest.dropLast() }
        return plain(whole, rest, isNegative: isNegative)
    }
}
