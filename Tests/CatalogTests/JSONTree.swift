import TestSupport
import ZohoBooks

/// A JSON value taken apart, so that a test can spell it in another way.
indirect enum JSONTree {
    case object([(String, JSONTree)])
    case array([JSONTree])
    /// A string with its quotes, a number or a literal, as it was spelt.
    case scalar(String)

    init(_ view: JSONView) throws {
        switch view.kind {
        case .object:
            var members: [(String, JSONTree)] = []
            try view.members { members.append((String(decoding: $0, as: UTF8.self), try JSONTree($1))) }
            self = .object(members)
        case .array:
            var elements: [JSONTree] = []
            try view.elements { elements.append(try JSONTree($0)) }
            self = .array(elements)
        case .string, .number, .bool, .null:
            self = .scalar(String(decoding: view.bytes, as: UTF8.self))
        }
    }

    /// The same value with its keys in another order.
    func shuffled(using generator: inout SeededGenerator) -> JSONTree {
        switch self {
        case .object(let members):
            .object(members.map { ($0, $1.shuffled(using: &generator)) }.shuffled(using: &generator))
        case .array(let elements): .array(elements.map { $0.shuffled(using: &generator) })
        case .scalar: self
        }
    }

    /// JSON text with white space wherever it is allowed.
    func spelling(with space: String = "") -> String {
        switch self {
        case .object(let members):
            "{\(space)"
                + members.map { "\"\($0)\"\(space):\(space)\($1.spelling(with: space))" }
                .joined(separator: "\(space),\(space)") + "\(space)}"
        case .array(let elements):
            "[\(space)" + elements.map { $0.spelling(with: space) }.joined(separator: "\(space),\(space)") + "\(space)]"
        case .scalar(let text): text
        }
    }

    /// Any value at all, with a liking for keys and texts that mean something.
    static func random(depth: Int, keys: [String], using generator: inout SeededGenerator) -> JSONTree {
        switch Int.random(in: 0..<(depth > 0 ? 10 : 7), using: &generator) {
        case 0...6: .scalar(scalars.randomElement(using: &generator) ?? "null")
        case 7:
            .array(
                (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                    random(depth: depth - 1, keys: keys, using: &generator)
                })
        default:
            .object(
                (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                    (
                        keys.randomElement(using: &generator) ?? "",
                        random(depth: depth - 1, keys: keys, using: &generator)
                    )
                })
        }
    }

    private static let scalars = [
        #""""#, "null", "true", "false", "0", "-0", "42", "42.50", "1e3", "-1E-400", "1e-9223372036854775808",
        "123456789012345678901234567890.5", #""42""#, #""70%""#, #""true""#, #""3460000000041001""#,
        "9999999999999999999",
        #""2026-02-20""#, #""2023-02-29""#, #""2026-02-20T10:05:00+0100""#, #""9999-12-31T23:59:59-1800""#,
        #""27 Dec 2016""#, #""active""#, #""void""#, #""customer""#, #""a\"b\\c\n""#, #""\u00e9\ud83e\udeb5""#,
        #""\ud83e""#,
        #""\q""#, #""木材 🪵 ""#, #""\u0000""#, #""%""#, #""-""#, #"".""#, #""e""#,
    ]
}
