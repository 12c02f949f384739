/// One thing that is watched: how it is, its figure, and what to do.
struct HealthCheck: Sendable, Hashable, Encodable {
    enum State: String, Sendable, Hashable, Encodable, Comparable {
        case ok
        case warning
        case critical

        private var rank: Int {
            switch self {
            case .ok: 0
            case .warning: 1
            case .critical: 2
            }
        }

        static func < (left: State, right: State) -> Bool { left.rank < right.rank }
    }

    let name: String
    let state: State
    let figure: Double
    /// What it means and what to do; empty where all is well.
    let advice: String
    /// The parts of the figure, where it has some: a number by path.
    var parts: [String: Int]?

    /// Judges a figure by two thresholds.
    static func judge(
        _ name: String, _ figure: Double, warning: Double, critical: Double, _ advice: String,
        parts: [String: Int]? = nil
    ) -> HealthCheck {
        let state: State = figure > critical ? .critical : figure > warning ? .warning : .ok
        return HealthCheck(
            name: name, state: state, figure: figure, advice: state == .ok ? "" : advice,
            parts: parts?.isEmpty == true ? nil : parts)
    }
}
