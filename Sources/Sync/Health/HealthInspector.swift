import Catalog
import Database
import Foundation
package import Mirror
package import ZohoBooks

/// Looks at everything that can go wrong, and says what to do.
package struct HealthInspector: Sendable {
    let mirror: Mirror
    /// Nil where the credentials are not there yet.
    let client: ZohoBooksClient?
    let organizationID: String?
    let thresholds: HealthThresholds
    /// Whether webhooks are meant to arrive, because a secret or a key is set.
    let expectsWebhooks: Bool
    /// Bytes free and in all where a file or folder lies; nil where that is not known.
    let disk: @Sendable (_ path: String) -> (free: Double, total: Double)?

    /// How far a look reaches.
    package enum Depth: Sendable, Hashable {
        /// The mirror alone: no call leaves this machine.
        case mirror
        /// Also whether there is an access token.
        case access
        /// Also a call for each module.
        case source
    }

    package init(
        mirror: Mirror, client: ZohoBooksClient?, organizationID: String?, thresholds: HealthThresholds = .init(),
        expectsWebhooks: Bool = false,
        disk: @escaping @Sendable (_ path: String) -> (free: Double, total: Double)? = { Self.space(at: $0) }
    ) {
        self.mirror = mirror
        self.client = client
        self.organizationID = organizationID
        self.thresholds = thresholds
        self.expectsWebhooks = expectsWebhooks
        self.disk = disk
    }

    static let day: Int64 = 86_400_000_000

    /// Makes the checks, in the order in which a new installation is set up.
    package func inspect(_ depth: Depth) async -> [HealthCheck] {
        let database = await databaseChecks()
        guard database.isUsable else { return database.checks + (await sourceChecks(depth)) }
        var checks = database.checks
        checks += await sourceChecks(depth)
        do {
            checks += try await workChecks()
            checks += try await deliveryChecks()
        } catch {
            checks.append(HealthCheck("database", .critical, -1, "The mirror cannot be read: \(error)"))
        }
        return checks
    }

    /// The checks, and as they were found last those that only a deeper look makes.
    package func inspectWithStored(_ depth: Depth) async -> [HealthCheck] {
        let checks = await inspect(depth)
        let made = Set(checks.map(\.name))
        let stored = (try? await mirror.healthRecords()) ?? []
        return checks + stored.filter { !made.contains($0.name) }.compactMap { HealthCheck($0) }
    }

    /// Space where a file or folder lies.
    package static func space(at path: String) -> (free: Double, total: Double)? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let block = Double(status.f_frsize)
        return (Double(status.f_bavail) * block, Double(status.f_blocks) * block)
    }

    // MARK: - The database

    private func databaseChecks() async -> (isUsable: Bool, checks: [HealthCheck]) {
        var checks: [HealthCheck] = []
        let began = ContinuousClock.now
        do {
            _ = try await mirror.database.read { try $0.query("select 1") }
        } catch {
            return (
                false,
                [HealthCheck("database", .critical, -1, "\(error) Look whether it runs, and at DATABASE_URL.")]
            )
        }
        checks.append(HealthCheck("database", .ok, 1))
        checks.append(
            thresholds.judge(
                "database_latency_ms", (ContinuousClock.now - began) / .milliseconds(1),
                "The database answers slowly. Look at its load and its disk."))
        do {
            let folder = try await mirror.database.read { try $0.dataFolder() }
            if let folder, let space = disk(folder), space.total > 0 {
                checks.append(
                    thresholds.judge(
                        "disk_used_percent", ((1 - space.free / space.total) * 1_000).rounded() / 10,
                        "The disk of the database is nearly full: \(Int(space.free / 1_048_576)) MiB are free."))
            }
            guard try await mirror.isPrepared() else {
                checks.append(
                    HealthCheck("schema", .warning, 0, "There is no mirror yet. Run zohosync sync, which makes it."))
                return (false, checks)
            }
            checks += try await schemaChecks()
        } catch {
            checks.append(HealthCheck("schema", .critical, 0, "\(error)"))
        }
        return (!checks.contains { $0.name == "schema" && $0.state == .critical }, checks)
    }

    private func schemaChecks() async throws -> [HealthCheck] {
        let (missing, grants, policies, stored) = try await mirror.database.read { transaction in
            (
                try Mirror.tableNames.filter { try transaction.columnNames(of: $0).isEmpty },
                try transaction.missingPrivileges(tables: Mirror.tableNames),
                try transaction.missingPolicies(tables: Mirror.tableNames),
                try transaction.query("select organization_id from sync_organization").first?.text(0)
            )
        }
        var checks = [
            HealthCheck(
                "schema", missing.isEmpty ? .ok : .critical, Double(missing.count),
                "Tables are missing: \(missing.joined(separator: ", ")). Run zohosync sync, which makes them.")
        ]
        checks.append(
            HealthCheck(
                "privileges", grants.isEmpty ? .ok : .critical, Double(grants.count),
                "The role lacks rights. Run as the tables' owner: \(grants.joined(separator: "; "))"))
        checks.append(
            HealthCheck(
                "row_level_security", policies.isEmpty ? .ok : .critical, Double(policies.count),
                "Row-level security refuses rows. Run as the tables' owner: \(policies.joined(separator: "; "))"))
        let isOther = stored != nil && organizationID != nil && stored != organizationID
        checks.append(
            HealthCheck(
                "organisation", isOther ? .critical : .ok, isOther ? 0 : 1,
                "The mirror holds organisation \(stored ?? "-"), and \(organizationID ?? "-") is configured. Correct "
                    + "ZOHO_ORGANIZATION_ID or DATABASE_URL."))
        return checks
    }

    // MARK: - Zoho

    private func sourceChecks(_ depth: Depth) async -> [HealthCheck] {
        guard depth != .mirror else { return [] }
        guard let client else {
            return [
                HealthCheck(
                    "token", .critical, 0,
                    "The credentials are not complete: ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, ZOHO_REFRESH_TOKEN and "
                        + "ZOHO_ORGANIZATION_ID are needed; zohosync auth gives the last two.")
            ]
        }
        do {
            try await client.checkAccess()
        } catch {
            let isPassing = (error as? ZohoBooksError).map { !$0.isConfiguration } ?? true
            return [HealthCheck("token", isPassing ? .warning : .critical, 0, "\(error)")]
        }
        var checks = [HealthCheck("token", .ok, 1)]
        if depth == .source { checks += await scopeChecks(client) }
        if let skew = client.clockSkew {
            checks.append(
                thresholds.judge(
                    "clock_skew_seconds", skew.magnitude.rounded(),
                    "This machine's clock is \(skew > 0 ? "ahead of" : "behind") Zoho's. Let it be set by NTP."))
        }
        if let budget = try? await client.budget(), let check = forecast(budget) { checks.append(check) }
        return checks
    }

    private func scopeChecks(_ client: ZohoBooksClient) async -> [HealthCheck] {
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
            } catch {
                return [HealthCheck("scopes", .warning, -1, "Zoho could not be asked: \(error)")]
            }
        }
        return [
            HealthCheck(
                "scopes", faults.isEmpty ? .ok : .critical, Double(faults.count),
                faults.first.map { "\($0) Print what is needed with zohosync auth scopes." } ?? "", parts: refused)
        ]
    }

    /// What the day's calls come to at today's pace, in percent of the plan.
    private func forecast(_ budget: BudgetSnapshot) -> HealthCheck? {
        guard let limit = budget.dailyLimit, let left = budget.remainingToday, limit > 0 else { return nil }
        let used = Double(limit - left)
        var projected = used
        if let returns = budget.returnsAt {
            let rest = max(0, returns.timeIntervalSince1970 - Double(mirror.now()) / 1_000_000)
            // An hour at least, so that one sync at midnight is not multiplied by a day.
            let passed = max(3_600, 86_400 - rest)
            projected = used + used / passed * rest
        }
        let percent = (left == 0 ? 101 : projected / Double(limit) * 100).rounded()
        return thresholds.judge(
            "budget_forecast_percent", percent,
            "\(left) of \(limit) calls are left today, and at this pace they do not last. See zohosync schedule --cost.",
            parts: ["used": limit - left, "left": left])
    }
}

extension ZohoBooksClient {
    /// Makes one call for the first record of a list, to see whether it may be read.
    fileprivate func probe(_ request: ListRequest) async throws {
        _ = try await page(1, of: request, priority: .interactive)
    }
}
