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
        // Token and budget are in the mirror: without it they say nothing.
        guard database.isReachable else { return database.checks }
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

    private func databaseChecks() async -> (isReachable: Bool, isUsable: Bool, checks: [HealthCheck]) {
        var checks: [HealthCheck] = []
        let began = ContinuousClock.now
        do {
            _ = try await mirror.database.read { try $0.query("select 1") }
        } catch {
            return (
                false, false,
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
                let grant = try await mirror.database.read { try $0.missingCreationRight() }
                checks.append(
                    grant.map { HealthCheck("schema", .critical, 0, "The role may not make the mirror. Run: \($0)") }
                        ?? HealthCheck(
                            "schema", .warning, 0, "There is no mirror yet. Run zohosync sync, which makes it."))
                return (true, false, checks)
            }
            checks += try await schemaChecks()
        } catch {
            checks.append(HealthCheck("schema", .critical, 0, "\(error)"))
        }
        return (true, !checks.contains { $0.name == "schema" && $0.state == .critical }, checks)
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
                "Row-level security refuses rows. Run as the tables' owner, and what alters a role as an administrator: "
                    + policies.joined(separator: "; ")))
        var isOther = stored != nil && organizationID != nil && stored != organizationID
        // An empty mirror becomes that of whoever comes.
        if isOther, missing.isEmpty, grants.isEmpty { isOther = try await !mirror.isEmpty() }
        checks.append(
            HealthCheck(
                "organisation", isOther ? .critical : .ok, isOther ? 0 : 1,
                "The mirror holds organisation \(stored ?? "-"), and \(organizationID ?? "-") is configured. Correct "
                    + "ZOHO_ORGANIZATION_ID or DATABASE_URL."))
        return checks
    }

    private func sourceChecks(_ depth: Depth) async -> [HealthCheck] {
        guard depth != .mirror, let client else { return [] }
        return await SourceInspector(client: client, thresholds: thresholds, now: mirror.now)
            .inspect(asksEveryModule: depth == .source)
    }
}
