import Catalog
import Database
package import Mirror
import ZohoBooks

extension ScheduleCost {
    /// What a schedule costs for what a mirror holds, with as many changes a day as in the last week.
    package static func of(_ schedule: Schedule, _ mirror: Mirror) async throws -> ScheduleCost {
        let week = mirror.now() - 7 * Timestamp.day
        let changes = try await mirror.arrivals(since: week).reduce(0) { sum, arrival in
            sum + (arrival.kind == .received || arrival.kind == .missed ? arrival.number : 0)
        }
        return ScheduleCost(schedule, holdings: try await holdings(of: mirror), changesPerDay: (changes + 6) / 7)
    }

    /// What a mirror holds.
    package static func holdings(of mirror: Mirror) async throws -> [String: Holding] {
        var holdings: [String: Holding] = [:]
        for mappings in Catalog.entities.byModule {
            var holding = Holding(records: [:])
            for mapping in mappings {
                holding.records[mapping.entity.name] = try await mirror.rowCounts(of: mapping).present
                holding.isFilterHonoured = try await mirror.cursor(of: mapping.entity.name).filterHonoured
            }
            holdings[mappings[0].entity.module.path] = holding
        }
        return holdings
    }
}

extension HealthInspector {
    /// Whether the schedule fits into what Zoho allows a day, at the pace that it has now.
    func scheduleChecks() async throws -> [HealthCheck] {
        // What the plan allows is known from Zoho's answers, which the mirror keeps.
        guard !schedule.tasks.isEmpty, let budget = try await client?.budget(), let plan = budget.dailyLimit,
            plan > budget.reserve
        else { return [] }
        let cost = try await ScheduleCost.of(schedule, mirror)
        let calls = cost.calls(with: try await LiveWebhooks(mirror))
        return [
            thresholds.judge(
                "schedule_percent", (Double(calls) / Double(plan - budget.reserve) * 100).rounded(),
                "The schedule takes \(calls) calls a day at its present pace, and the plan allows \(plan), of which "
                    + "\(budget.reserve) are reserved for other uses. Schedule \(cost.costliest(\.withoutWebhooks)) less often, or set up "
                    + "the workflow rules. See zohosync schedule --cost.")
        ]
    }
}
