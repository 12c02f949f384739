import ArgumentParser
import Catalog
import Database
import Foundation
import Mirror
import Server
import Sync
import ZohoBooks

struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule", abstract: "Shows what zohosync serve does next, and how each task last ended.",
        discussion: """
            ZOHOSYNC_SCHEDULE_INCREMENTAL, _FULL, _RECONCILIATION, _HEALTH and _HEALING set when: off, an interval such \
            as 15m, or a cron expression; ZOHOSYNC_SCHEDULE_<ENTITY>_<KIND> sets it for one entity.
            """)

    @Flag(help: "Show how many calls a day the schedule costs instead.")
    var cost = false

    @Option(
        help: "With --cost: records of each entity instead of the mirror's, such as products=2200,customers=2500.")
    var size: String?

    @Option(help: "With --cost: the calls that the plan allows a day, instead of what Zoho last reported.")
    var plan: Int?

    @Option(help: "With --cost: records that change in a day, instead of the last week's average.")
    var changes: Int?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let plan, plan < 1 { throw ValidationError("--plan must be at least 1.") }
        guard changes ?? 0 >= 0 else { throw ValidationError("--changes must be 0 or more.") }
        _ = try sizes()
    }

    private func sizes() throws -> [String: Int]? {
        guard let size else { return nil }
        var sizes: [String: Int] = [:]
        for part in size.split(separator: ",") {
            let pieces = part.split(separator: "=")
            guard pieces.count == 2, let number = Int(pieces[1]), number >= 0,
                Catalog.entity(named: String(pieces[0])) != nil
            else { throw ValidationError("--size \(part) must be an entity and a number, such as products=2200.") }
            sizes[String(pieces[0])] = number
        }
        return sizes
    }

    func run() async throws {
        let settings = try await Settings(file: common.config)
        let schedule = try settings.schedule()
        if !cost { return try await showNext(settings, schedule) }
        let known = try await known(settings, schedule)
        let document = CostDocument(known.cost, plan: plan ?? known.plan, limits: try settings.limits())
        Console.print(common.json ? document.json(indented: true) : document.text)
        if !document.warnings.isEmpty { throw ExitCode(ExitStatus.failure) }
    }

    private func showNext(_ settings: Settings, _ schedule: Schedule) async throws {
        let overview = try await Installation.with(settings, databaseURL: common.databaseURL, to: .read) {
            try await Scheduler.overview(schedule, mirror: $0.mirror)
        }
        let tasks = overview.map { TaskDocument($0.task, $0.dueAt, $0.record, isSlow: $0.isSlow) }
        if common.json { return Console.print(tasks.json(indented: true)) }
        var rows = [["task", "when", "next", "last", "outcome"]]
        for task in tasks {
            rows.append([
                task.name, task.trigger + (task.slow ? " (slower while webhooks arrive)" : ""), task.nextAt ?? "-",
                task.lastStartedAt ?? "-", [task.state, task.note].compactMap(\.self).joined(separator: ": "),
            ])
        }
        Console.print(TextTable(rows).lines.joined(separator: "\n"))
    }

    private func known(_ settings: Settings, _ schedule: Schedule) async throws -> (cost: ScheduleCost, plan: Int?) {
        let (sizes, limits, changes) = (try sizes(), try settings.limits(), changes)
        func ofMirror() async throws -> (ScheduleCost, Int?) {
            try await Installation.with(settings, databaseURL: common.databaseURL, to: .read) { installation in
                let plan = try await MirrorCallLedger(installation.mirror, limits: limits, holder: ProcessName.current)
                    .snapshot(at: .now).dailyLimit
                guard let changes else { return (try await ScheduleCost.of(schedule, installation.mirror), plan) }
                let holdings = try await ScheduleCost.holdings(of: installation.mirror)
                return (ScheduleCost(schedule, holdings: holdings, changesPerDay: changes), plan)
            }
        }
        guard let sizes else { return try await ofMirror() }
        var holdings: [String: ScheduleCost.Holding] = [:]
        for mapping in Catalog.entities {
            let (module, name) = (mapping.entity.module.path, mapping.entity.name)
            holdings[module, default: .init(records: [:])].records[name] = sizes[name] ?? 0
        }
        let cost = ScheduleCost(schedule, holdings: holdings, changesPerDay: changes ?? 0)
        // A size can be tried before there is a mirror.
        return (cost, plan == nil ? (try? await ofMirror())?.1 : nil)
    }
}

/// One task as JSON for machines.
private struct TaskDocument: Encodable {
    let name: String
    let kind: String
    let entities: [String]
    let trigger: String
    /// Whether its interval is longer because webhooks are seen to arrive.
    let slow: Bool
    @Nullable var nextAt: String?
    @Nullable var lastStartedAt: String?
    @Nullable var lastEndedAt: String?
    @Nullable var state: String?
    @Nullable var note: String?

    init(_ task: ScheduledTask, _ dueAt: Int64?, _ record: ScheduleRecord?, isSlow: Bool) {
        name = task.name
        kind = task.kind.rawValue
        entities = task.entities
        trigger = task.trigger.description
        slow = isSlow
        nextAt = dueAt.map { Timestamp.seconds($0) }
        lastStartedAt = record?.startedAt.map { Timestamp.seconds($0) }
        lastEndedAt = record?.endedAt.map { Timestamp.seconds($0) }
        state = record?.state?.rawValue
        note = record?.note
    }
}

/// What a schedule costs, for people and as JSON for machines.
private struct CostDocument: Encodable {
    struct Module: Encodable {
        let module: String
        let records: Int
        let withWebhooks: [String: Int]
        let withoutWebhooks: [String: Int]
    }

    let modules: [Module]
    let healthCalls: Int
    let withWebhooks: Int
    let withoutWebhooks: Int
    let onBadDay: Int
    let plan: Int
    /// Whether neither the user nor Zoho has said what the plan allows, so that the smallest one is assumed.
    let planAssumed: Bool
    let reserve: Int
    let warnings: [String]

    init(_ cost: ScheduleCost, plan: Int?, limits: BudgetLimits) {
        func named(_ calls: [ScheduledTask.Kind: Int]) -> [String: Int] {
            let kinds = ScheduledTask.Kind.allCases.filter(\.isPerModule)
            return Dictionary(uniqueKeysWithValues: kinds.map { ($0.rawValue, calls[$0] ?? 0) })
        }
        modules = cost.lines.map {
            Module(
                module: $0.module, records: $0.records, withWebhooks: named($0.withWebhooks),
                withoutWebhooks: named($0.withoutWebhooks))
        }
        healthCalls = cost.health
        withWebhooks = cost.withWebhooks
        withoutWebhooks = cost.withoutWebhooks
        onBadDay = cost.onBadDay
        self.plan = plan ?? ScheduleCost.smallestPlan
        planAssumed = plan == nil
        reserve = limits.reserve(ofPlan: self.plan)
        warnings = cost.warnings(plan: self.plan, reserve: reserve)
    }

    var text: String {
        var rows = [["calls a day", "records", "incremental", "without webhooks", "full", "reconciliation"]]
        for module in modules {
            func calls(_ kind: ScheduledTask.Kind) -> String { (module.withWebhooks[kind.rawValue] ?? 0).grouped }
            rows.append([
                module.module, module.records.grouped, calls(.incremental),
                (module.withoutWebhooks[ScheduledTask.Kind.incremental.rawValue] ?? 0).grouped, calls(.full),
                calls(.reconciliation),
            ])
        }
        var lines = TextTable(rows).lines
        lines.append("Health: \(healthCalls).")
        lines.append(
            "While webhooks arrive: \(withWebhooks.grouped) calls a day; without any: \(withoutWebhooks.grouped).")
        lines.append(
            "On a bad day up to \(onBadDay.grouped) more, to find out what is wrong and to confirm differences.")
        if planAssumed {
            lines.append(
                "Zoho has not reported yet what the plan allows; the smallest plan is assumed. Set another with --plan."
            )
        }
        lines.append("The plan allows \(plan.grouped), of which \(reserve.grouped) are reserved for other uses.")
        lines += warnings.isEmpty ? ["The schedule fits the plan."] : warnings
        return lines.joined(separator: "\n")
    }
}
