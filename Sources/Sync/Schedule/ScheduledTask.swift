import Catalog

/// Something that a server does repeatedly.
package struct ScheduledTask: Sendable, Hashable {
    /// What is done.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Reads what changed, in the cheapest form that the module allows.
        case incremental
        /// Lists everything again.
        case full
        /// Compares source and mirror.
        case reconciliation
        case health
        case healing

        /// Whether there is a task of its own for each module.
        package var isPerModule: Bool { self == .incremental || self == .full || self == .reconciliation }

        /// When it is due where nothing else is configured.
        package var standard: Trigger {
            switch self {
            case .incremental, .health: .every(900)
            case .healing: .every(3_600)
            case .full: Self.nightly(hour: 2)
            case .reconciliation: Self.nightly(hour: 4)
            }
        }

        private static func nightly(hour: Int) -> Trigger {
            CronExpression("0 \(hour) * * *").map { .cron($0) } ?? .every(86_400)
        }
    }

    package let kind: Kind
    /// The entities that are listed together; none for what concerns the whole mirror.
    package let entities: [String]
    /// When it is due; never ``Trigger/off``.
    package let trigger: Trigger

    /// What it is called where it is kept and shown: `incremental customers vendors`.
    package var name: String { ([kind.rawValue] + entities).joined(separator: " ") }
}

/// What a server does, and when.
package struct Schedule: Sendable, Hashable {
    /// The tasks, without those that are switched off.
    package private(set) var tasks: [ScheduledTask] = []

    /// - Parameter trigger: what was said of a kind, for an entity or (nil) for all.
    package init(
        _ trigger: (_ kind: ScheduledTask.Kind, _ entity: String?) throws -> Trigger?
    ) rethrows {
        for kind in ScheduledTask.Kind.allCases {
            let general = try trigger(kind, nil) ?? kind.standard
            guard kind.isPerModule else {
                tasks.append(ScheduledTask(kind: kind, entities: [], trigger: general))
                continue
            }
            for mappings in Catalog.entities.byModule {
                let entities = mappings.map(\.entity.name)
                var own: Trigger?
                for entity in entities where own == nil { own = try trigger(kind, entity) }
                tasks.append(ScheduledTask(kind: kind, entities: entities, trigger: own ?? general))
            }
        }
        tasks.removeAll { $0.trigger == .off }
    }

    /// The schedule where nothing else is configured.
    package static let standard = Schedule { _, _ in nil }

    /// Nothing at all.
    package static let off = Schedule { _, _ in .off }
}
