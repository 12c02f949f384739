import Foundation

/// The parameters of a query or a form body; a `+` is a space, as it is for Zoho (section 5.3).
struct QueryString: Sendable {
    private(set) var parameters: [String: String] = [:]

    init(_ text: some StringProtocol) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            parameters[Self.decode(parts[0])] = parts.count > 1 ? Self.decode(parts[1]) : ""
        }
    }

    subscript(_ name: String) -> String? { parameters[name] }

    mutating func add(_ other: QueryString) { parameters.merge(other.parameters) { $1 } }

    private static func decode(_ text: some StringProtocol) -> String {
        let spaced = text.replacingOccurrences(of: "+", with: " ")
        return spaced.removingPercentEncoding ?? spaced
    }
}
