import ZohoBooks

/// JSON in the one form in which equal content is equal bytes.
///
/// Keys are sorted, numbers written as canonical decimals, quantities also where they came as strings, white space
/// removed. Blank members and `*_formatted` twins, which only some shapes of a record carry, are left out, and an
/// invoice list's `zipcode` is spelt `zip` like everywhere else (reference, section 7.5).
package enum CanonicalJSON {
    /// The canonical bytes of an object or array, or ``FieldValue/null`` where nothing is left of it.
    static func value(from view: JSONView) throws -> FieldValue? {
        switch view.kind {
        case .null: return .null
        case .string where view.isBlank: return .null
        case .object, .array:
            var output: [UInt8] = []
            return try append(view, to: &output) ? .json(output) : .null
        // An empty string stands for an empty list in list records; other scalars are not what the column holds.
        case .string, .number, .bool: return nil
        }
    }

    /// Appends the value and tells whether there was anything to append.
    private static func append(_ view: JSONView, to output: inout [UInt8]) throws -> Bool {
        if view.isBlank { return false }
        switch view.kind {
        case .object:
            var members: [(key: String, value: [UInt8])] = []
            try view.members { key, member in
                let name = try JSONView.text(ofKey: key)
                guard !name.hasSuffix("_formatted") else { return }
                var bytes: [UInt8] = []
                if isQuantity(name), member.kind == .string, let digits = FieldValue.canonicalDecimal(member.content) {
                    members.append((name, Array(digits.utf8)))
                } else if try append(member, to: &bytes) {
                    members.append((name, bytes))
                }
            }
            if let zipcode = members.firstIndex(where: { $0.key == "zipcode" }) {
                let member = members.remove(at: zipcode)
                if !members.contains(where: { $0.key == "zip" }) { members.append(("zip", member.value)) }
            }
            return object(members, to: &output)
        case .array:
            var isFirst = true
            output.append(UInt8(ascii: "["))
            try view.elements { element in
                let mark = output.count
                if !isFirst { output.append(UInt8(ascii: ",")) }
                if try append(element, to: &output) { isFirst = false } else { output.removeLast(output.count - mark) }
            }
            output.append(UInt8(ascii: "]"))
            return !isFirst
        case .number:
            guard let digits = FieldValue.canonicalDecimal(view.content) else {
                throw JSONSyntaxError.wrongType(expected: "a number of reasonable size")
            }
            output.append(contentsOf: digits.utf8)
            return true
        case .string:
            quote(try view.columnText(), to: &output)
            return true
        case .bool, .null:
            output.append(contentsOf: view.bytes)
            return true
        }
    }

    /// The canonical bytes of an object whose keys are a user's own: they say nothing of what is below them.
    static func namedValues(from view: JSONView) throws -> FieldValue? {
        var members: [(key: String, value: [UInt8])] = []
        try view.members { key, member in
            var bytes: [UInt8] = []
            if try append(member, to: &bytes) { members.append((try JSONView.text(ofKey: key), bytes)) }
        }
        var output: [UInt8] = []
        return object(members, to: &output) ? .json(output) : .null
    }

    /// Whether the member holds a number that comes as a numeric string now and then, such as a location's stock
    /// (reference, section 6.2).
    ///
    /// Every other string stays one: a postcode is no number.
    private static func isQuantity(_ name: String) -> Bool {
        ["stock", "stock_on_hand", "amount", "percentage", "length", "width", "height", "weight"]
            .contains { name.hasSuffix($0) }
    }

    /// Writes an object with sorted keys.
    static func object(_ members: [(key: String, value: [UInt8])], to output: inout [UInt8]) -> Bool {
        guard !members.isEmpty else { return false }
        output.append(UInt8(ascii: "{"))
        let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for (index, member) in sorted.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            quote(member.key, to: &output)
            output.append(UInt8(ascii: ":"))
            output.append(contentsOf: member.value)
        }
        output.append(UInt8(ascii: "}"))
        return true
    }

    /// A string in quotes, with the escapes that JSON demands and no others.
    package static func quoted(_ text: String) -> String {
        var output: [UInt8] = []
        quote(text, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Writes a string with the escapes that JSON demands and no others.
    package static func quote(_ text: String, to output: inout [UInt8]) {
        let hex = Array("0123456789abcdef".utf8)
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                output.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0..<0x20:
                output.append(contentsOf: "\\u00".utf8)
                output.append(contentsOf: [hex[Int(byte >> 4)], hex[Int(byte & 15)]])
            default:
                output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}

extension FieldValue {
    /// The canonical form of JSON that a database gave back in its own spelling.
    package static func canonicalJSON(_ bytes: ArraySlice<UInt8>, of kind: Field.Kind = .json) -> FieldValue {
        let value = try? RawJSON(bytes).read { view in
            try kind == .customFields ? CanonicalJSON.namedValues(from: view) : CanonicalJSON.value(from: view)
        }
        return value ?? .null
    }
}
