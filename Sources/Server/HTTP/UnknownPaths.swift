import Synchronization

/// Decides which unknown paths are counted individually: a client that tries many must fill neither the memory nor the
/// mirror, nor hide those that are proven to be Zoho's.
final class UnknownPaths: Sendable {
    /// The label of all others.
    static let other = "other"

    private struct State {
        /// Unproven paths never take these places.
        var proven: Set<String> = []
        /// When each came last, in microseconds since 1970.
        var others: [String: Int64] = [:]
        /// When a path last lost its place to another.
        var evictedAt: Int64?
        var lastWithoutPlace: String?
        var metrics: Set<String> = []
    }

    private static let capacity = 50
    /// Microseconds between evictions: each path that had a place leaves a row in the mirror.
    private static let evictionInterval: Int64 = 60_000_000
    private let state = Mutex(State())

    /// The label under which a path is counted: its own, or that of all others.
    ///
    /// - Parameters:
    ///   - isProven: whether the delivery is Zoho's by its signature or key.
    ///   - time: the present, in microseconds since 1970.
    func label(for path: String, isProven: Bool, at time: Int64) -> String {
        let path = String(path.prefix(200))
        return state.withLock { state in
            if state.proven.contains(path) { return path }
            if isProven, state.proven.count < Self.capacity {
                state.proven.insert(path)
                state.others[path] = nil
                return path
            }
            if state.others[path] == nil, state.others.count >= Self.capacity {
                guard abs(time - (state.evictedAt ?? .min / 2)) >= Self.evictionInterval else {
                    state.lastWithoutPlace = path
                    return Self.other
                }
                let oldest = state.others.min { ($0.value, $0.key) < ($1.value, $1.key) }
                if let oldest { state.others[oldest.key] = nil }
                state.evictedAt = time
            }
            state.others[path] = time
            return path
        }
    }

    /// The label in the metrics, where none is ever given up.
    func metricsLabel(for label: String) -> String {
        state.withLock { state in
            if state.metrics.contains(label) { return label }
            guard state.metrics.count < 2 * Self.capacity else { return Self.other }
            state.metrics.insert(label)
            return label
        }
    }

    /// The last path that had no place of its own; nil where all had one.
    var lastWithoutPlace: String? { state.withLock(\.lastWithoutPlace) }
}
