import Catalog

/// How many calls a day a schedule costs.
package struct ScheduleCost: Sendable, Hashable {
    /// What one module costs.
    package struct Line: Sendable, Hashable {
        /// The module's path.
        package let module: String
        /// The entities that are listed together.
        package let entities: [String]
        /// Records that a list has.
        package let records: Int
        /// Calls a day by kind of task while webhooks can be relied on.
        package let withWebhooks: [ScheduledTask.Kind: Int]
        /// The same without any webhook.
        package let withoutWebhooks: [ScheduledTask.Kind: Int]
    }

    /// One for each module, in the catalogue's order.
    package let lines: [Line]
    /// Calls a day for health checks, whatever the organisation's size.
    package let health: Int
    /// Records that change in a day: a sweep that finds one reads it.
    package let changes: Int
    /// Calls that come on top on a bad day: health asks every module each hour while something is wrong there, and a
    /// comparison reads whatever seems to differ.
    package let onBadDay: Int

    /// Calls a day while webhooks can be relied on.
    package var withWebhooks: Int { lines.reduce(health + readings) { $0 + $1.withWebhooks.values.reduce(0, +) } }
    /// Calls a day without any webhook.
    package var withoutWebhooks: Int { lines.reduce(health + changes) { $0 + $1.withoutWebhooks.values.reduce(0, +) } }
    /// Of the changes that webhooks bring, those that are read nevertheless: what is missed, marked or contested, and
    /// deletions, which are confirmed.
    private var readings: Int { (changes + LiveWebhooks.Evidence.tolerated - 1) / LiveWebhooks.Evidence.tolerated }

    /// Calls a day while these webhooks can be relied on.
    func calls(with live: LiveWebhooks) -> Int {
        var sum = health
        var isAnnounced = true
        for line in lines {
            let isLive = live.cover(line.entities)
            isAnnounced = isAnnounced && (isLive || line.withWebhooks == line.withoutWebhooks)
            sum += (isLive ? line.withWebhooks : line.withoutWebhooks).values.reduce(0, +)
        }
        return sum + (isAnnounced ? readings : changes)
    }

    /// What a module holds, and what is known of how it can be read.
    package struct Holding: Sendable, Hashable {
        /// By entity.
        package var records: [String: Int]
        /// Whether the list honours `last_modified_time`; nil where nobody has asked.
        package var isFilterHonoured: Bool?

        package init(records: [String: Int], isFilterHonoured: Bool? = nil) {
            self.records = records
            self.isFilterHonoured = isFilterHonoured
        }
    }

    /// - Parameters:
    ///   - holdings: by the module's path.
    ///   - sample: records of each entity whose details a comparison reads.
    ///   - changesPerDay: records that change at the source in a day.
    package init(
        _ schedule: Schedule, holdings: [String: Holding], sample: Int = ReconciliationOptions().sample,
        changesPerDay: Int = 0
    ) {
        var lines: [Line] = []
        for mappings in Catalog.entities.byModule {
            let module = mappings[0].entity.module
            let holding = holdings[module.path] ?? Holding(records: [:])
            let tasks = schedule.tasks.filter { $0.entities.contains(mappings[0].entity.name) }
            // Zoho announces nothing of a module without workflow rules.
            let announced = Set(mappings.filter { $0.entity.webhookName != nil }.map(\.entity.name))
            func calls(_ live: LiveWebhooks) -> [ScheduledTask.Kind: Int] {
                tasks.reduce(into: [:]) { calls, task in
                    let times = task.trigger.timesPerDay(factor: Timetable.factor(of: task, live: live))
                    calls[task.kind] = Self.calls(of: task.kind, times, mappings, holding, sample)
                }
            }
            lines.append(
                Line(
                    module: module.path, entities: mappings.map(\.entity.name),
                    records: holding.records.values.reduce(0, +),
                    withWebhooks: calls(LiveWebhooks(heard: announced)),
                    withoutWebhooks: calls(LiveWebhooks(heard: []))))
        }
        self.lines = lines
        let checksHealth = schedule.tasks.contains { $0.kind == .health }
        // Once a day every module is asked for whether it may be read.
        health = checksHealth ? lines.count : 0
        changes = changesPerDay
        let comparisons = schedule.tasks.filter { $0.kind == .reconciliation }.reduce(0.0) { sum, task in
            let line = lines.first { $0.entities == task.entities }
            let most = min(line?.records ?? 0, ReconciliationOptions().confirmations)
            return sum + task.trigger.timesPerDay() * Double(most)
        }
        onBadDay = (checksHealth ? 23 * lines.count : 0) + Int(comparisons.rounded(.up))
    }

    private static func calls(
        of kind: ScheduledTask.Kind, _ times: Double, _ mappings: [EntityMapping], _ holding: Holding, _ sample: Int
    ) -> Int {
        let module = mappings[0].entity.module
        let records = holding.records.values.reduce(0, +)
        let (pages, isFilterHonoured) = (PagePlan.pages(for: records), holding.isFilterHonoured)
        func details(_ number: Int) -> Int {
            switch module.detail {
            case .single: number
            case .itemDetails(let size): (number + size - 1) / size
            }
        }
        let sum: Double
        switch kind {
        case .incremental:
            let sweep = module.pagesOfSweep(records: records, isFilterHonoured: isFilterHonoured)
            // Details that a list cannot show to be outdated are read again when they are old.
            let renewals = module.detailLifetime.map { min(times, 86_400 / Double($0)) * Double(details(records)) } ?? 0
            sum = times * Double(sweep) + renewals
        case .full:
            sum = times * Double(pages + (module.detailLifetime == nil ? 0 : details(records)))
        case .reconciliation:
            let samples = mappings.reduce(0) { $0 + details(min(sample, holding.records[$1.entity.name] ?? 0)) }
            sum = times * Double(pages + samples)
        case .health, .healing:
            sum = 0
        }
        return Int(sum.rounded(.up))
    }

    /// What keeps the schedule from fitting into a plan, and what to do; empty where it fits.
    ///
    /// - Parameters:
    ///   - plan: calls that the plan allows a day.
    ///   - reserve: calls that background work leaves for others.
    package func warnings(plan: Int, reserve: Int) -> [String] {
        let room = max(0, plan - reserve)
        var warnings: [String] = []
        if withWebhooks > room {
            warnings.append(
                "Even while webhooks arrive, \(withWebhooks) calls a day do not fit into \(plan) with a reserve of "
                    + "\(reserve). Schedule \(costliest(\.withWebhooks)) less often.")
        } else if withoutWebhooks > room {
            warnings.append(
                "It fits only while webhooks arrive: without them it would take \(withoutWebhooks) of \(plan) calls a "
                    + "day. Set up the workflow rules, or schedule \(costliest(\.withoutWebhooks)) less often.")
        }
        return warnings
    }

    /// Calls a day of Zoho's smallest plan, which is assumed where nobody has said which one it is.
    package static let smallestPlan = 1_000

    func costliest(_ calls: (Line) -> [ScheduledTask.Kind: Int]) -> String {
        let all = lines.flatMap { line in
            calls(line).map { (name: "\($0.key.rawValue) of \(line.module)", calls: $0.value) }
        }
        return all.max { $0.calls < $1.calls }.map { "\($0.name) (\($0.calls))" } ?? "something"
    }
}
