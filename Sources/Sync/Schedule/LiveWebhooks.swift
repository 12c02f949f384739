import Database
import Mirror

/// Which entities' webhooks can be relied on, so that sweeps can be rare.
struct LiveWebhooks: Sendable, Hashable {
    /// What was seen of one entity's webhooks.
    struct Evidence: Sendable, Hashable {
        /// When the last delivery came, in microseconds since 1970.
        var heardAt: Int64?
        /// Deliveries of the last day.
        var heard = 0
        /// When a sweep last found a change that none had announced, in microseconds since 1970.
        var missedAt: Int64?
        /// Unannounced changes of the last day.
        var missed = 0

        /// One in this many changes may go unannounced while webhooks come.
        static let tolerated = 10

        /// Whether changes go unannounced.
        ///
        /// Silence alone is no sign of it, because nothing may have changed. And one delivery after missed ones does
        /// not clear it, because as many may still be missing.
        var isSilent: Bool {
            guard let missedAt else { return false }
            return heardAt.map { $0 <= missedAt } ?? true || missed * Self.tolerated > heard
        }
    }

    /// Entities of which a delivery has ever come.
    private(set) var heard: Set<String> = []
    /// Entities of which changes go unannounced.
    private(set) var silent: Set<String> = []

    /// - Parameter evidence: by entity.
    init(_ evidence: [String: Evidence]) {
        for (entity, evidence) in evidence {
            if evidence.heardAt != nil { heard.insert(entity) }
            if evidence.isSilent { silent.insert(entity) }
        }
    }

    /// Webhooks that are assumed to be set up and to work.
    init(heard: Set<String>) { self.heard = heard }

    /// Whether what changes in entities that are listed together is announced.
    ///
    /// One of them may have no rule of its own, or nothing that ever changes: one has to be heard of, and none may
    /// change unannounced.
    func cover(_ entities: [String]) -> Bool {
        !heard.isDisjoint(with: entities) && silent.isDisjoint(with: entities)
    }
}

extension LiveWebhooks {
    /// What the mirror has seen.
    init(_ mirror: Mirror) async throws {
        let since = mirror.now() - Timestamp.day
        var evidence: [String: Evidence] = [:]
        for arrival in try await mirror.arrivals(since: 0) {
            var known = evidence[arrival.subject] ?? Evidence()
            let number = arrival.lastAt >= since ? arrival.number : 0
            switch arrival.kind {
            case .received:
                known.heardAt = max(known.heardAt ?? 0, arrival.lastAt)
                known.heard += number
            case .missed:
                known.missedAt = max(known.missedAt ?? 0, arrival.lastAt)
                known.missed += number
            case .refused, .turnedAway, .unreadable, .unknownPath: continue
            }
            evidence[arrival.subject] = known
        }
        self.init(evidence)
    }
}
