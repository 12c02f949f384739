/// A JSON value to give a record, written as a literal: `["name": "Oak", "rate": 12.5, "tags": .json("[]")]`.
package struct SimulatorValue: Sendable, Hashable {
    /// The JSON text; nil takes the key out of the record.
    let json: [UInt8]?

    /// Any JSON text as it stands; it must be valid.
    package static func json(_ text: String) -> SimulatorValue { SimulatorValue(json: Array(text.utf8)) }

    /// A string.
    package static func string(_ text: String) -> SimulatorValue {
        var writer = JSONWriter(capacity: text.utf8.count + 16)
        writer.string(text)
        return SimulatorValue(json: writer.bytes)
    }

    /// The key is missing altogether.
    package static let missing = SimulatorValue(json: nil)
}

extension SimulatorValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    /// A string.
    package init(stringLiteral value: String) { self = .string(value) }

    /// A whole number.
    package init(integerLiteral value: Int) { self = .json(String(value)) }

    /// A number with as many decimals as it takes.
    package init(floatLiteral value: Double) { self = .json(value.description) }

    /// `true` or `false`.
    package init(booleanLiteral value: Bool) { self = .json(value ? "true" : "false") }

    /// JSON `null`.
    package init(nilLiteral: ()) { self = .json("null") }
}
