import Database
import Foundation
package import Mirror
package import ZohoBooks

/// Checks everything that can go wrong, and says what to do.
package struct HealthInspector: Sendable {
    let mirror: Mirror
    /// Nil where the credentials are not there yet.
    let client: ZohoBooksClient?
    let organizationID: String?
    let thresholds: HealthThresholds
    /// Whether webhooks are meant to arrive, because a secret or a key is set.
    let expectsWebhooks: Bool
    /// What is done again and again, to see whether it fits into the plan.
    let schedule: Schedule
    /// Bytes free and in all where a file or folder lies; nil where that is not known.
    let disk: @Sendable (_ path: String) -> (free: Double, total: Double)?
    /// By which the database's answer is timed.
    let clock: any Clock<Duration>

    /// How far an inspection reaches.
    package enum Depth: Sendable, Hashable {
        /// The mirror alone: no call leaves this machine.
        case mirror
        /// Also whether there is an access token.
        case access
        /// Also whether the refresh token brings another one, and a call for each module.
        case source
    }

    /// - Parameters:
    ///   - client: nil where there are no credentials yet; then nothing is asked of Zoho.
    ///   - organizationID: the one that is configured; nil where none is.
    package init(
        mirror: Mirror, client: ZohoBooksClient?, organizationID: String?, thresholds: HealthThresholds = .init(),
        expectsWebhooks: Bool = false, schedule: Schedule = .off,
        disk: @escaping @Sendable (_ path: String) -> (free: Double, total: Double)? = { Self.space(at: $0) },
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.mirror = mirror
        self.client = client
        self.organizationID = organizationID
        self.thresholds = thresholds
        self.expectsWebhooks = expectsWebhooks
        self.schedule = schedule
        self.disk = disk
        self.clock = clock
    }

    private static let database = "database"
    private static let privileges = "privileges"
    private static let policies = "row_level_security"
    /// How long the database may take to show that it answers.
    private static let timeout = Duration.seconds(5)

    /// Makes the checks, in the order in which a new installation is set up.
    package func inspect(_ depth: Depth) async -> [HealthCheck] { await inspection(depth).checks }

    /// Makes the checks.
    ///
    /// - Returns: the checks, and whether nothing has kept any of this depth from being made.
    func inspection(_ depth: Depth) async -> (checks: [HealthCheck], isWhole: Bool) {
        let database = await databaseChecks()
        // Token and budget are in the mirror: without it they say nothing.
        guard database.isReachable else { return (database.checks, false) }
        guard database.isUsable else { return (database.checks + (await sourceChecks(depth)), false) }
        var checks = database.checks
        checks += await sourceChecks(depth)
        do {
            checks += try await scheduleChecks()
            checks += try await workChecks()
            checks += try await deliveryChecks()
            let isHindered = checks.contains {
                $0.state == .critical && ($0.name == Self.privileges || $0.name == Self.policies)
            }
            return (checks, !isHindered)
        } catch {
            // In place of the check that only says that the database answers: a check has one state.
            checks.removeAll { $0.name == Self.database }
            checks.insert(HealthCheck(Self.database, .critical, -1, "The mirror cannot be read: \(error)"), at: 0)
            return (checks, false)
        }
    }

    /// The checks, and those that only a deeper inspection makes as it last found them.
    ///
    /// - Parameter remembered: what replaces the stored ones where the database cannot give them.
    package func inspectWithStored(_ depth: Depth, remembered: [HealthRecord] = []) async -> [HealthCheck] {
        let (checks, isWhole) = await inspection(depth)
        let stored = (try? await mirror.healthRecords()) ?? remembered
        return checks
            + stored.filter { stands($0, beside: checks, isWhole: isWhole) }.compactMap { HealthCheck($0) }
    }

    /// The checks that only an inspection with calls to Zoho makes.
    private static let ofSource: Set = ["token", "scopes", "clock_skew_seconds", "budget_forecast_percent"]

    /// Whether a check from an earlier inspection is still valid after another one.
    ///
    /// A check that is no longer made would otherwise stay as it was for ever.
    ///
    /// - Parameter isWhole: whether the later inspection has made every check of its depth.
    func stands(_ record: HealthRecord, beside checks: [HealthCheck], isWhole: Bool) -> Bool {
        guard !checks.contains(where: { $0.name == record.name }) else { return false }
        guard isWhole else { return true }
        return Self.ofSource.contains(record.name) && mirror.now() - record.checkedAt < 2 * Timestamp.day
    }

    /// The checks while the database does not answer at all: the database's, and the others as they were found last.
    package static func checks(ofUnresponsiveDatabase remembered: [HealthRecord]) -> [HealthCheck] {
        let check = HealthCheck(
            database, .critical, -1,
            "The database did not answer in time. Check whether it hangs, its load and its disk.")
        return [check] + remembered.filter { $0.name != database }.compactMap { HealthCheck($0) }
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
        let time = clock.stopwatch()
        do {
            _ = try await within(Self.timeout) {
                try await mirror.database.read { try $0.query("select 1") }
            }
        } catch {
            return (
                false, false,
                [HealthCheck(Self.database, .critical, -1, "\(error) Check that it is running, and DATABASE_URL.")]
            )
        }
        checks.append(HealthCheck(Self.database, .ok, 1))
        checks.append(
            thresholds.judge(
                "database_latency_ms", time.elapsed() / .milliseconds(1),
                "The database is slow to answer. Check its load and its disk."))
        do {
            if let check = diskCheck(try await mirror.database.read { try $0.dataFolder() }) { checks.append(check) }
            guard try await mirror.isPrepared() else {
                let grant = try await mirror.database.read { try $0.missingCreationRight() }
                checks.append(
                    grant.map { HealthCheck("schema", .critical, 0, "The role may not create the mirror. Run: \($0)") }
                        ?? HealthCheck(
                            "schema", .warning, 0, "There is no mirror yet. Run zohosync sync, which creates it."))
                return (true, false, checks)
            }
            checks += try await schemaChecks()
        } catch {
            checks.append(HealthCheck("schema", .critical, 0, "\(error)"))
        }
        return (true, !checks.contains { $0.name == "schema" && $0.state == .critical }, checks)
    }

    private func diskCheck(_ folder: DataFolder) -> HealthCheck? {
        let name = "disk_used_percent"
        switch folder {
        case .elsewhere: return nil
        case .hidden(let statement):
            return .notMade(
                name, "The role may not see which disk the database is on. Run as an administrator: \(statement)")
        case .here(let path):
            guard let space = disk(path), space.total > 0 else { return nil }
            return thresholds.judge(
                name, ((1 - space.free / space.total) * 1_000).rounded() / 10,
                "The database's disk is nearly full: \(Int(space.free / 1_048_576)) MiB are free. Free some space.")
        }
    }

    /// Rights and policies come first: without them the rest cannot be read, or does not show everything.
    private func schemaChecks() async throws -> [HealthCheck] {
        let (grants, policies) = try await mirror.database.read { transaction in
            (
                try transaction.missingPrivileges(tables: Mirror.tableNames, readOnly: [Mirror.migrationTable]),
                try Mirror.missingPolicies(transaction)
            )
        }
        var checks = [
            HealthCheck(
                Self.privileges, grants.isEmpty ? .ok : .critical, Double(grants.count),
                "The role lacks rights. Run as the tables' owner: \(grants.joined(separator: "; "))"),
            HealthCheck(
                Self.policies, policies.isEmpty ? .ok : .critical, Double(policies.count),
                "Row-level security blocks rows. Run as the tables' owner (alter role as an administrator): "
                    + policies.joined(separator: "; ")),
        ]
        // Steps of the schema that are hidden would seem to be outstanding.
        guard policies.isEmpty else { return checks }
        let difference = try await mirror.schemaDifference()
        checks.append(
            HealthCheck(
                "schema", difference.count == 0 ? .ok : .critical, Double(difference.count), difference.advice))
        do {
            let stored = try await mirror.organizationID()
            var isOther = stored != nil && organizationID != nil && stored != organizationID
            // An empty mirror may become any organisation's.
            if isOther, difference.tables.isEmpty, grants.isEmpty { isOther = try await !mirror.isEmpty() }
            checks.append(
                HealthCheck(
                    "organisation", isOther ? .critical : .ok, isOther ? 0 : 1,
                    "The mirror holds organisation \(stored ?? "-"), but \(organizationID ?? "-") is configured. Correct "
                        + "ZOHO_ORGANIZATION_ID or DATABASE_URL."))
        } catch let error as DatabaseError where error.kind == .denied && !grants.isEmpty {
            // The missing right is reported already.
        }
        return checks
    }

    private func sourceChecks(_ depth: Depth) async -> [HealthCheck] {
        guard depth != .mirror, let client else { return [] }
        return await SourceInspector(client: client, thresholds: thresholds, now: mirror.now)
            .inspect(asksZoho: depth == .source)
    }
}

extension SchemaDifference {
    /// What it means and what to do.
    fileprivate var advice: String {
        let sentences = [
            ("Tables are missing", tables, "Run zohosync sync, which creates them."),
            ("Columns are missing", columns, "Run zohosync sync, which creates them."),
            (
                "The mirror comes from an older zohosync and lacks", outstanding,
                "Run zohosync sync, which brings it up to date."
            ),
            ("A newer zohosync has changed the mirror", unknown, "Upgrade this zohosync."),
        ]
        return sentences.filter { !$0.1.isEmpty }
            .map { "\($0.0): \($0.1.joined(separator: ", ")). \($0.2)" }.joined(separator: " ")
    }
}
