import Foundation

/// A message about checks that have changed their state, for the worse or for the better.
package struct Alert: Sendable, Hashable, Encodable {
    /// One check that has changed its state.
    package struct Item: Sendable, Hashable, Encodable {
        /// The name of the check.
        package let check: String
        /// `ok`, `warning` or `critical`.
        package let state: String
        /// The state that the target was told before.
        package let before: String
        /// In the check's own unit; -1 where the check cannot be made.
        package let figure: Double
        /// What to do; empty where it is well again.
        package let advice: String
        /// When it came into this state, as `2026-03-02T12:00:00Z`.
        package let since: String
        /// The largest parts of the figure by name, such as entities or paths; nil where it has none.
        package let parts: [String: Int]?
        /// How many further parts there are; nil where there are none.
        package let more: Int?

        /// How many parts an alert names.
        private static let told = 5
        /// Characters of a part's name that an alert shows.
        private static let nameLength = 80

        package init(
            check: String, state: String, before: String, figure: Double, advice: String, since: String,
            parts: [String: Int] = [:]
        ) {
            self.check = check
            self.state = state
            self.before = before
            self.figure = figure
            self.advice = advice
            self.since = since
            let first = parts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(Self.told)
            self.parts =
                first.isEmpty
                ? nil : Dictionary(first.map { (Self.plain($0.key), $0.value) }, uniquingKeysWith: { $0 + $1 })
            more = parts.count > first.count ? parts.count - first.count : nil
        }

        private enum CodingKeys: String, CodingKey {
            case check, state, before, figure, advice, since, parts, more
        }

        // By hand, because what is nil has to be null and not left out.
        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(check, forKey: .check)
            try container.encode(state, forKey: .state)
            try container.encode(before, forKey: .before)
            try container.encode(figure, forKey: .figure)
            try container.encode(advice, forKey: .advice)
            try container.encode(since, forKey: .since)
            try container.encode(parts, forKey: .parts)
            try container.encode(more, forKey: .more)
        }

        /// A name without what a chat would take for a mention or a link: strangers choose paths.
        private static func plain(_ name: String) -> String {
            String(
                name.prefix(nameLength).map { character in
                    let isPlain = character.isASCII && (character.isLetter || character.isNumber)
                    return isPlain || "/._-:%~+ ".contains(character) ? character : "?"
                })
        }

        /// The parts in words, the largest first.
        fileprivate var partList: String {
            let names = (parts ?? [:]).sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
                "\($0.key): \($0.value)"
            }
            guard !names.isEmpty else { return "" }
            return " (\((names + (more.map { ["and \($0) more"] } ?? [])).joined(separator: ", ")))"
        }
    }

    /// The id of the organisation whose mirror it is.
    package let organization: String
    /// The checks that changed, each with its advice.
    package let items: [Item]

    package init(organization: String, items: [Item]) {
        self.organization = organization
        self.items = items
    }

    /// The worst state among them.
    package var status: String {
        ["critical", "warning"].first { state in items.contains { $0.state == state } } ?? "ok"
    }

    /// One line, for a mail's subject or a notification.
    package var title: String {
        let names = items.map(\.check).joined(separator: ", ")
        return status == "ok"
            ? "zohosync \(organization): recovered: \(names)" : "zohosync \(organization): \(status): \(names)"
    }

    /// The whole alert for a person, a line for each check.
    package var text: String {
        let lines = items.map { item in
            item.state == "ok"
                ? "\(item.check): recovered (was \(item.before))"
                : "\(item.check): \(item.state), \(number(item.figure))\(item.partList), since \(item.since). \(item.advice)"
        }
        return ([title] + lines).joined(separator: "\n")
    }

    private func number(_ figure: Double) -> String {
        figure == figure.rounded() ? String(Int(figure)) : String(format: "%.1f", figure)
    }

    private enum CodingKeys: String, CodingKey {
        case status, title, organization, items
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(status, forKey: .status)
        try container.encode(title, forKey: .title)
        try container.encode(organization, forKey: .organization)
        try container.encode(items, forKey: .items)
    }

    /// The whole alert as one JSON object.
    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}

/// Where alerts go.
package protocol AlertTarget: Sendable {
    /// The target's name in the log and in the mirror, which is unique and holds no secret.
    var name: String { get }

    /// Sends an alert; returns when the target has accepted it.
    func send(_ alert: Alert) async throws
}

/// Why an alert was not accepted, or its target cannot be used.
package struct AlertError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
