import Alerts
import AsyncHTTPClient
import Configuration
import Database
import Foundation
import Server
import Sync
import SystemPackage
import ZohoBooks

/// Everything that the environment and `zohosync.yaml` can say.
///
/// Flags stand above both.
///
/// A key such as `zoho.clientId` is the variable `ZOHO_CLIENT_ID` in the environment and `zoho: {clientId: …}` in the
/// file.
struct Settings: Sendable {
    private var reader: ConfigReader
    private var providers: [any ConfigProvider]

    /// Reads the environment and the file.
    ///
    /// - Parameter file: the configuration file; the default may be missing, a named one may not.
    init(file: String?) async throws {
        let provider: FileProvider<YAMLSnapshot>
        do {
            provider = try await FileProvider<YAMLSnapshot>(
                filePath: FilePath(file ?? "zohosync.yaml"), allowMissing: file == nil)
        } catch {
            throw SettingsError.unreadableFile(file ?? "zohosync.yaml")
        }
        providers = [EnvironmentVariablesProvider(), provider]
        reader = ConfigReader(providers: providers)
    }

    /// Settings that are given and not read.
    init(values: [String: String]) {
        var known: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, value) in values {
            known[AbsoluteConfigKey(key.split(separator: ".").map(String.init))] = ConfigValue(
                .string(value), isSecret: true)
        }
        providers = [InMemoryProvider(values: known)]
        reader = ConfigReader(providers: providers)
    }

    /// Puts a value, such as that of a flag, above all others.
    mutating func set(_ key: String, _ value: String) {
        let absolute = AbsoluteConfigKey(key.split(separator: ".").map(String.init))
        let flag = InMemoryProvider(values: [absolute: ConfigValue(.string(value), isSecret: false)])
        providers.insert(flag, at: 0)
        reader = ConfigReader(providers: providers)
    }

    /// `DATABASE_URL`; a SQLite file in the working folder where it is not set.
    var databaseURL: String { reader.string(forKey: "database.url") ?? "sqlite:zoho.sqlite" }

    /// `ZOHOSYNC_SCHEMA`: the PostgreSQL schema that holds the mirror.
    var schema: String { reader.string(forKey: "zohosync.schema") ?? "zoho" }

    /// `ZOHO_ORGANIZATION_ID`.
    func organizationID() throws -> String { try required("zoho.organizationId", "ZOHO_ORGANIZATION_ID") }

    /// `ZOHOSYNC_LOG_LEVEL`: trace, debug, info, notice, warning or error.
    var logLevel: String { reader.string(forKey: "zohosync.logLevel") ?? "warning" }

    /// `ZOHOSYNC_IN_FLIGHT`: calls that are made side by side, 1 to 100; Zoho allows 10.
    func inFlight() throws -> Int { try number("zohosync.inFlight", "ZOHOSYNC_IN_FLIGHT", 1...100) ?? 10 }

    /// What the client needs: the credentials and the data centre; `ZOHOSYNC_ITEMS_PER_CALL`: how many items' details one
    /// call asks for.
    ///
    /// - Parameter isConnected: whether there is a refresh token and an organisation already.
    func zohoBooks(isConnected: Bool = true) throws -> ZohoBooksConfiguration {
        let name = reader.string(forKey: "zoho.dataCenter") ?? "com"
        guard let dataCenter = DataCenter(rawValue: name) else {
            throw SettingsError.invalid(
                "ZOHO_DATA_CENTER", name, "one of \(DataCenter.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        var configuration = ZohoBooksConfiguration(
            clientID: try required("zoho.clientId", "ZOHO_CLIENT_ID"),
            clientSecret: Secret(try required("zoho.clientSecret", "ZOHO_CLIENT_SECRET", isSecret: true)),
            refreshToken: Secret(
                isConnected ? try required("zoho.refreshToken", "ZOHO_REFRESH_TOKEN", isSecret: true) : ""),
            organizationID: isConnected ? try organizationID() : "", dataCenter: dataCenter)
        configuration.accountsURL = try url("zoho.accountsUrl", "ZOHO_ACCOUNTS_URL")
        configuration.apiURL = try url("zoho.apiUrl", "ZOHO_API_URL")
        if let size = try number("zohosync.itemsPerCall", "ZOHOSYNC_ITEMS_PER_CALL", 1...200) {
            configuration.itemDetailsSize = size
        }
        return configuration
    }

    /// The call budget: `ZOHOSYNC_CALLS_PER_MINUTE`, `ZOHOSYNC_DETAILS_PER_MINUTE`, `ZOHOSYNC_RESERVE`,
    /// `ZOHOSYNC_IN_FLIGHT`.
    ///
    /// 0 switches a limit off, for a simulator.
    func limits() throws -> BudgetLimits {
        var limits = BudgetLimits()
        func limit(_ value: Int?, _ standard: Int?) -> Int? { value == 0 ? nil : value ?? standard }
        limits.callsPerMinute = limit(
            try number("zohosync.callsPerMinute", "ZOHOSYNC_CALLS_PER_MINUTE", 0...100_000), limits.callsPerMinute)
        limits.detailCallsPerMinute = limit(
            try number("zohosync.detailsPerMinute", "ZOHOSYNC_DETAILS_PER_MINUTE", 0...100_000),
            limits.detailCallsPerMinute)
        limits.inFlight = try inFlight()
        if let reserve = try number("zohosync.reserve", "ZOHOSYNC_RESERVE", 0...10_000) { limits.reserve = reserve }
        return limits
    }

    /// How the server listens; flags stand above it.
    func server() throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        if let hostname = reader.string(forKey: "zohosync.hostname") { configuration.hostname = hostname }
        if let port = try number("zohosync.port", "ZOHOSYNC_PORT", 0...65_535) { configuration.port = port }
        configuration.webhookSecret = secret("zohosync.webhookSecret")
        configuration.webhookKey = secret("zohosync.webhookKey")
        if let text = reader.string(forKey: "zohosync.trustedProxies") {
            let variable = "ZOHOSYNC_TRUSTED_PROXIES"
            configuration.trustedProxies = try text.split(separator: ",").map { part in
                guard let range = AddressRange(part.trimmingCharacters(in: .whitespaces)) else {
                    throw SettingsError.invalid(variable, text, "addresses and ranges such as 127.0.0.1, 10.0.0.0/8")
                }
                return range
            }
        }
        let certificate = reader.string(forKey: "zohosync.tlsCertificate")
        let key = reader.string(forKey: "zohosync.tlsKey")
        switch (certificate, key) {
        case (nil, nil): break
        case (let certificate?, let key?): configuration.tls = (certificate, key)
        case (nil, _): throw SettingsError.missing("ZOHOSYNC_TLS_CERTIFICATE")
        case (_, nil): throw SettingsError.missing("ZOHOSYNC_TLS_KEY")
        }
        return configuration
    }

    /// `ZOHOSYNC_WORKERS`: how many workers apply deliveries side by side, 1 to 16.
    func workers() throws -> Int { try number("zohosync.workers", "ZOHOSYNC_WORKERS", 1...16) ?? 2 }

    /// `ZOHOSYNC_TRUST_DELETIONS`: whether a delivery that says that a record is gone is believed without a call.
    func trustsDeletions() throws -> Bool {
        try flag("zohosync.trustDeletions", "ZOHOSYNC_TRUST_DELETIONS") ?? false
    }

    /// `ZOHOSYNC_HEAL_<ACTION>`: whether healing may do it; `ZOHOSYNC_KEEP_HISTORY_DAYS`, `ZOHOSYNC_KEEP_CHANGES_DAYS`.
    func healing() throws -> HealingOptions {
        var options = HealingOptions()
        for action in HealingAction.allCases {
            let key = ConfigKey(["zohosync", "heal", action.rawValue])
            let isAllowed = try flag(key, "ZOHOSYNC_HEAL_\(action.rawValue.uppercased())") ?? true
            if !isAllowed { options.disabled.insert(action) }
        }
        if let days = try number("zohosync.keepHistoryDays", "ZOHOSYNC_KEEP_HISTORY_DAYS", 1...36_500) {
            options.historyDays = days
        }
        if let days = try number("zohosync.keepChangesDays", "ZOHOSYNC_KEEP_CHANGES_DAYS", 1...36_500) {
            options.changesDays = days
        }
        options.deletions = try deletions()
        return options
    }

    /// `ZOHOSYNC_DELETIONS_PERCENT`: of an entity's rows, how many may be taken for deleted without a person.
    func deletions() throws -> DeletionBound {
        var bound = DeletionBound()
        if let percent = try number("zohosync.deletionsPercent", "ZOHOSYNC_DELETIONS_PERCENT", 0...100) {
            bound.share = Double(percent) / 100
        }
        return bound
    }

    /// `ZOHOSYNC_SCHEDULE_<KIND>` and `ZOHOSYNC_SCHEDULE_<ENTITY>_<KIND>`: when a server does what.
    func schedule() throws -> Schedule {
        try Schedule { kind, entity in
            let path = ["zohosync", "schedule"] + (entity.map { [$0] } ?? []) + [kind.rawValue]
            guard let text = reader.string(forKey: ConfigKey(path)) else { return nil }
            guard let trigger = Trigger(text) else {
                throw SettingsError.invalid(
                    path.joined(separator: "_").uppercased(), text,
                    "off, an interval from 1m to 31d such as 15m, or a cron expression such as 0 2 * * *")
            }
            return trigger
        }
    }

    /// What a server does by itself.
    func watch() throws -> WatchConfiguration {
        var watch = WatchConfiguration()
        watch.organization = try organizationID()
        watch.thresholds = try thresholds()
        watch.schedule = try schedule()
        watch.reserve = try limits().reserve
        watch.healing = try healing()
        watch.targets = try alertTargets()
        watch.ping = try secretURL("zohosync.pingUrl", "ZOHOSYNC_PING_URL").map {
            DeadMansPing(url: $0, http: .shared)
        }
        return watch
    }

    /// Where alerts go: `ZOHOSYNC_ALERT_SLACK_URL`, `ZOHOSYNC_ALERT_WEBHOOK_URL`, `ZOHOSYNC_ALERT_SMTP_URL` with
    /// `_SMTP_FROM` and `_SMTP_TO`, `ZOHOSYNC_ALERT_COMMAND`.
    func alertTargets() throws -> [any AlertTarget] {
        var targets: [any AlertTarget] = []
        if let url = try secretURL("zohosync.alert.slackUrl", "ZOHOSYNC_ALERT_SLACK_URL") {
            targets.append(WebhookTarget(url: url, format: .slack, http: .shared))
        }
        if let url = try secretURL("zohosync.alert.webhookUrl", "ZOHOSYNC_ALERT_WEBHOOK_URL") {
            targets.append(WebhookTarget(url: url, format: .plain, http: .shared))
        }
        if let url = secret("zohosync.alert.smtpUrl") {
            let recipients = try required("zohosync.alert.smtpTo", "ZOHOSYNC_ALERT_SMTP_TO").split(separator: ",")
                .map { $0.trimmingCharacters(in: .whitespaces) }
            let from = reader.string(forKey: "zohosync.alert.smtpFrom") ?? recipients.first ?? ""
            targets.append(
                SMTPTarget(try SMTPConfiguration(url: url, from: from, recipients: recipients)))
        }
        if let command = reader.string(forKey: "zohosync.alert.command"), !command.isEmpty {
            targets.append(CommandTarget(command))
        }
        return targets
    }

    private func secretURL(_ key: ConfigKey, _ variable: String) throws -> Secret? {
        guard let secret = secret(key) else { return nil }
        guard let url = URL(string: secret.revealed), ["http", "https"].contains(url.scheme), url.host != nil else {
            throw SettingsError.invalid(variable, "not a URL", "one such as https://hooks.example.com/…")
        }
        return secret
    }

    private func flag(_ key: ConfigKey, _ variable: String) throws -> Bool? {
        guard let text = reader.string(forKey: key) ?? reader.bool(forKey: key).map({ "\($0)" }) else { return nil }
        switch text {
        case "true": return true
        case "false": return false
        default: throw SettingsError.invalid(variable, text, "true or false")
        }
    }

    /// `ZOHOSYNC_LOG_FORMAT`: logfmt or json.
    func logFormat() throws -> LineLogHandler.Format {
        let text = reader.string(forKey: "zohosync.logFormat") ?? LineLogHandler.Format.logfmt.rawValue
        guard let format = LineLogHandler.Format(rawValue: text) else {
            throw SettingsError.invalid("ZOHOSYNC_LOG_FORMAT", text, "logfmt or json")
        }
        return format
    }

    /// Whether webhooks are meant to arrive.
    var expectsWebhooks: Bool {
        secret("zohosync.webhookSecret") != nil || secret("zohosync.webhookKey") != nil
    }

    /// The variables without which Zoho cannot be asked and that are not set.
    var missingCredentials: [String] {
        [
            ("zoho.clientId", "ZOHO_CLIENT_ID"), ("zoho.clientSecret", "ZOHO_CLIENT_SECRET"),
            ("zoho.refreshToken", "ZOHO_REFRESH_TOKEN"), ("zoho.organizationId", "ZOHO_ORGANIZATION_ID"),
        ].filter { reader.string(forKey: ConfigKey($0.0), isSecret: true) ?? "" == "" }.map(\.1)
    }

    /// `ZOHOSYNC_HEALTH_<CHECK>_WARNING` and `…_CRITICAL`: above which figures a check is no longer well; `…_SECONDS`:
    /// for how long something has to last before it is counted.
    func thresholds() throws -> HealthThresholds {
        var thresholds = HealthThresholds()
        for name in thresholds.pairs.keys.sorted() {
            thresholds.set(
                name, warning: try figure(name, "warning"), critical: try figure(name, "critical"),
                seconds: thresholds.seconds[name] == nil ? nil : try figure(name, "seconds"))
            let pair = thresholds[name]
            guard pair.warning <= pair.critical else {
                throw SettingsError.invalid(
                    "ZOHOSYNC_HEALTH_\(name)_WARNING".uppercased(), "\(pair.warning)",
                    "no more than the critical figure, which is \(pair.critical)")
            }
        }
        return thresholds
    }

    private func figure(_ check: String, _ level: String) throws -> Double? {
        let key = ConfigKey(["zohosync", "health", check, level])
        guard let text = reader.string(forKey: key) ?? reader.double(forKey: key).map({ "\($0)" }) else { return nil }
        guard let figure = Double(text), figure >= 0, figure < 1e12 else {
            throw SettingsError.invalid("ZOHOSYNC_HEALTH_\(check)_\(level)".uppercased(), text, "a number from 0")
        }
        return figure
    }

    private func secret(_ key: ConfigKey) -> Secret? {
        // What surrounds it in a file is no part of it.
        let text = reader.string(forKey: key, isSecret: true)?.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let text, !text.isEmpty else { return nil }
        return Secret(text)
    }

    private func required(_ key: ConfigKey, _ variable: String, isSecret: Bool = false) throws -> String {
        guard let value = reader.string(forKey: key, isSecret: isSecret), !value.isEmpty else {
            throw SettingsError.missing(variable)
        }
        return value
    }

    private func number(_ key: ConfigKey, _ variable: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let text = reader.string(forKey: key) ?? reader.int(forKey: key).map(String.init) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw SettingsError.invalid(variable, text, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    private func url(_ key: ConfigKey, _ variable: String) throws -> URL? {
        guard let text = reader.string(forKey: key), !text.isEmpty else { return nil }
        guard let url = URL(string: text), let scheme = url.scheme, ["http", "https"].contains(scheme), url.host != nil
        else { throw SettingsError.invalid(variable, text, "a URL such as https://www.zohoapis.eu") }
        return url
    }
}

/// What is wrong with the configuration, and where it is mended.
enum SettingsError: Error, CustomStringConvertible {
    case missing(String)
    case invalid(String, String, String)
    case unreadableFile(String)

    var description: String {
        switch self {
        case .missing(let variable):
            """
            \(variable) is not set. Set it in the environment or in zohosync.yaml; docs/configuration.md says where to \
            find each value.
            """
        case .invalid(let variable, let value, let expected): "\(variable) is \(value), but must be \(expected)."
        case .unreadableFile(let path): "\(path) cannot be read as YAML. Correct it or leave --config out."
        }
    }
}
