import Catalog
import Foundation
package import ZohoBooks

/// Checks what only Zoho can say: whether it grants access, to which modules, how many calls are left, and what time it
/// is there.
package struct SourceInspector: Sendable {
    private let client: ZohoBooksClient
    private let thresholds: HealthThresholds
    /// Microseconds since 1970.
    private let now: @Sendable () -> Int64

    /// - Parameter now: microseconds since 1970.
    package init(client: ZohoBooksClient, thresholds: HealthThresholds, now: @escaping @Sendable () -> Int64) {
        self.client = client
        self.thresholds = thresholds
        self.now = now
    }

    /// Makes the checks.
    ///
    /// - Parameter asksZoho: whether a token is asked for, to see whether the refresh token is accepted, and a call made
    ///   for each module, to see whether it may be read.
    package func inspect(asksZoho: Bool) async -> [HealthCheck] {
        var checks: [HealthCheck]
        do {
            try await client.checkAccess(renewing: asksZoho)
            checks = [HealthCheck("token", .ok, 1)]
            if asksZoho { checks.append(try await scopeCheck()) }
        } catch {
            let isPassing = (error as? ZohoBooksError).map { !$0.isConfiguration } ?? true
            return [HealthCheck("token", isPassing ? .warning : .critical, 0, "\(error)")]
        }
        if let skew = client.clockSkew {
            checks.append(
                thresholds.judge(
                    "clock_skew_seconds", skew.magnitude.rounded(),
                    "This machine's clock is \(skew > 0 ? "ahead of" : "behind") Zoho's. Synchronise it with NTP."))
        }
        if let budget = try? await client.budget(), let check = forecast(budget) { checks.append(check) }
        return checks
    }

    /// - Throws: ``ZohoBooksError`` where Zoho grants no access at all.
    private func scopeCheck() async throws -> HealthCheck {
        var faults: [String] = []
        var refused: [String: Int] = [:]
        for mappings in Catalog.entities.byModule {
            let module = mappings[0].entity.module
            do {
                try await client.probe(ListRequest(path: module.path, listKey: module.listKey))
            } catch let error as ZohoBooksError where error.kind == .moduleUnavailable {
                continue
            } catch let error as ZohoBooksError where error.kind == .scope || error.kind == .organisation {
                faults.append("\(module.path): \(error.description)")
                refused[error.kind == .scope ? module.scope : module.path] = 1
            } catch let error as ZohoBooksError where error.kind == .credentials {
                throw error
            } catch {
                return HealthCheck("scopes", .warning, -1, "Zoho could not be reached: \(error)")
            }
        }
        return HealthCheck(
            "scopes", faults.isEmpty ? .ok : .critical, Double(faults.count),
            faults.first.map { "\($0) Run zohosync auth scopes to see the scopes needed." } ?? "", parts: refused)
    }

    /// The day's calls at today's pace, in percent of the plan; nil where Zoho has not told how many are left.
    private func forecast(_ budget: BudgetSnapshot) -> HealthCheck? {
        guard let limit = budget.dailyLimit, let left = budget.remainingToday, limit > 0 else { return nil }
        let used = Double(limit - left)
        var projected = used
        if let returns = budget.returnsAt {
            let rest = max(0, returns.timeIntervalSince1970 - Double(now()) / 1_000_000)
            // An hour at least, so that one sync at midnight is not multiplied by a day.
            let passed = max(3_600, 86_400 - rest)
            projected = used + used / passed * rest
        }
        let percent = (left == 0 ? 101 : projected / Double(limit) * 100).rounded()
        return thresholds.judge(
            "budget_forecast_percent", percent,
            "\(left) of \(limit) calls are left today, and at this pace they will run out. See zohosync schedule --cost.",
            parts: ["used": limit - left, "left": left])
    }
}

extension ZohoBooksClient {
    /// Makes one call for the first record of a list, to see whether it may be read.
    fileprivate func probe(_ request: ListRequest) async throws {
        _ = try await page(1, of: request, priority: .interactive)
    }
}
