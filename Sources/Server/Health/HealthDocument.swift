package import Sync

/// The checks and the worst of their states, as JSON for machines.
package struct HealthDocument: Encodable, Sendable {
    struct Check: Encodable, Sendable {
        let name: String
        let state: String
        let figure: Double
        let advice: String
        /// A number by entity, module or path; nil where the figure has no parts.
        @Nullable var parts: [String: Int]?
    }

    let status: String
    let checks: [Check]

    package init(_ checks: [HealthCheck]) {
        status = (checks.map(\.state).max() ?? .ok).rawValue
        self.checks = checks.map {
            Check(name: $0.name, state: $0.state.rawValue, figure: $0.figure, advice: $0.advice, parts: $0.parts)
        }
    }
}
