/// A value that was read from a record: exact, typed and in one canonical form, so that equal values are equal bytes.
package enum FieldValue: Sendable, Hashable {
    /// Zoho's blank: `""`, null or, for what only details say, a key that one lacks (reference, section 7.4).
    case null
    case integer(Int64)
    case text(String)
    /// Canonical decimal digits without superfluous zeros: `-12.5`, `0`.
    case decimal(String)
    case boolean(Bool)
    /// Microseconds since 1970-01-01T00:00:00Z.
    case instant(Int64)
    /// `YYYY-MM-DD`, a day that exists.
    case date(String)
    /// Canonical JSON: sorted keys, no blank members, no white space.
    case json([UInt8])
}

/// A value of a record that could not be read as what its column holds.
package struct FieldFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// The column, with its table where it belongs to a child: `invoice_line_items.quantity`.
    package var field: String
    /// Why, with the beginning of the value.
    package let reason: String

    package init(field: String, reason: String) {
        self.field = field
        self.reason = reason
    }

    package var description: String { "\(field): \(reason)" }
}
