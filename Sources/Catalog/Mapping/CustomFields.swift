import ZohoBooks

/// Gathers a record's custom fields from whichever of their three spellings it uses (reference, section 7.8).
///
/// Every value becomes text: the spellings disagree about its type, and a row must not change with the shape that
/// brought it. `*_unformatted` beats the localised twin.
struct CustomFields {
    private var array: [String: [UInt8]]?
    private var hash: [String: [UInt8]]?
    private var flattened: [String: [UInt8]] = [:]

    /// The fields as one canonical JSON object, ``FieldValue/null`` where there are none, nil where the record does not
    /// speak of custom fields.
    var value: FieldValue? {
        let isSaid = array != nil || hash != nil || !flattened.isEmpty
        guard isSaid else { return nil }
        let fields = [array, hash, flattened].lazy.compactMap { $0 }.first { !$0.isEmpty } ?? [:]
        var output: [UInt8] = []
        return CanonicalJSON.object(fields.map { ($0.key, $0.value) }, to: &output) ? .json(output) : .null
    }

    mutating func takeArray(_ view: JSONView) throws {
        if view.isBlank { return }
        var fields: [String: [UInt8]] = [:]
        try view.elements { element in
            guard let name = try element.member("api_name") ?? element.member("label"), !name.isBlank,
                let value = try element.member("value"), !value.isBlank
            else { return }
            fields[try name.text()] = try Self.text(value)
        }
        array = fields
    }

    mutating func takeHash(_ view: JSONView) throws {
        if view.isBlank { return }
        var fields: [String: [UInt8]] = [:]
        try view.members { key, value in try Self.take(key, value, into: &fields) }
        hash = fields
    }

    mutating func takeFlattened(_ key: UnsafeBufferPointer<UInt8>, _ value: JSONView) throws {
        guard key.count > 3, key[0] == UInt8(ascii: "c"), key[1] == UInt8(ascii: "f"), key[2] == UInt8(ascii: "_")
        else { return }
        try Self.take(key, value, into: &flattened)
    }

    private static func take(
        _ key: UnsafeBufferPointer<UInt8>, _ value: JSONView, into fields: inout [String: [UInt8]]
    ) throws {
        let name = try JSONView.text(ofKey: key)
        guard !value.isBlank, !name.hasSuffix("_formatted") else { return }
        if name.hasSuffix("_unformatted") {
            if let text = try text(value) { fields[String(name.dropLast("_unformatted".count))] = text }
        } else if fields[name] == nil {
            fields[name] = try text(value)
        }
    }

    /// A value as a JSON string, or an array of them for a multi-select; nil where nothing is selected.
    private static func text(_ view: JSONView) throws -> [UInt8]? {
        var output: [UInt8] = []
        switch view.kind {
        case .number:
            let digits = FieldValue.canonicalDecimal(view.content)
            CanonicalJSON.quote(digits ?? String(decoding: view.content, as: UTF8.self), to: &output)
        case .array, .object:
            guard case .json(let bytes)? = try CanonicalJSON.value(from: view) else { return nil }
            output = bytes
        case .string, .bool, .null:
            CanonicalJSON.quote(try view.columnText(), to: &output)
        }
        return output
    }
}
