import Configuration
import Foundation
import Logging
import SystemPackage
import ZohoBooks

/// Everything that the environment and `zohosync.yaml` can say.
///
/// Flags override both.
///
/// A key such as `zoho.clientId` is the variable `ZOHO_CLIENT_ID` in the environment and `zoho: {clientId: …}` in the
/// file.
struct Settings: Sendable {
    private(set) var reader: ConfigReader
    private var providers: [any ConfigProvider]

    /// Reads the environment and the file.
    ///
    /// - Parameter file: the configuration file; the default may be missing, a named one may not.
    init(file: String?) async throws {
        let path = file ?? "zohosync.yaml"
        let provider: FileProvider<YAMLSnapshot>
        do {
            provider = try await FileProvider<YAMLSnapshot>(filePath: FilePath(path), allowMissing: file == nil)
        } catch {
            throw SettingsError(path, error)
        }
        providers = [EnvironmentVariablesProvider(), provider]
        reader = ConfigReader(providers: providers)
    }

    /// Settings with fixed values; neither the environment nor a file is read.
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

    /// `ZOHOSYNC_IN_FLIGHT`: calls that are made at once, 1 to 100; Zoho allows 10.
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

    /// `ZOHOSYNC_LOG_FORMAT`: logfmt or json.
    func logFormat() throws -> LineLogHandler.Format {
        let text = reader.string(forKey: "zohosync.logFormat") ?? LineLogHandler.Format.logfmt.rawValue
        guard let format = LineLogHandler.Format(rawValue: text) else {
            throw SettingsError.invalid("ZOHOSYNC_LOG_FORMAT", text, "logfmt or json")
        }
        return format
    }

    /// `ZOHOSYNC_LOG_LEVEL`: from which level on messages are logged.
    func logLevel() throws -> Logger.Level {
        let text = reader.string(forKey: "zohosync.logLevel") ?? Logger.Level.warning.rawValue
        guard let level = Logger.Level(rawValue: text) else {
            throw SettingsError.invalid(
                "ZOHOSYNC_LOG_LEVEL", text, "one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return level
    }

    /// The variables that are not set and without which Zoho cannot be called.
    var missingCredentials: [String] {
        [
            ("zoho.clientId", "ZOHO_CLIENT_ID"), ("zoho.clientSecret", "ZOHO_CLIENT_SECRET"),
            ("zoho.refreshToken", "ZOHO_REFRESH_TOKEN"), ("zoho.organizationId", "ZOHO_ORGANIZATION_ID"),
        ].filter { reader.string(forKey: ConfigKey($0.0), isSecret: true) ?? "" == "" }.map(\.1)
    }

    func flag(_ key: ConfigKey, _ variable: String) throws -> Bool? {
        guard let text = reader.string(forKey: key) ?? reader.bool(forKey: key).map({ "\($0)" }) else { return nil }
        switch text {
        case "true": return true
        case "false": return false
        default: throw SettingsError.invalid(variable, text, "true or false")
        }
    }

    func secret(_ key: ConfigKey) -> Secret? {
        // White space around it in a file is not part of it.
        let text = reader.string(forKey: key, isSecret: true)?.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let text, !text.isEmpty else { return nil }
        return Secret(text)
    }

    func required(_ key: ConfigKey, _ variable: String, isSecret: Bool = false) throws -> String {
        guard let value = reader.string(forKey: key, isSecret: isSecret), !value.isEmpty else {
            throw SettingsError.missing(variable)
        }
        return value
    }

    func number(_ key: ConfigKey, _ variable: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let text = reader.string(forKey: key) ?? reader.int(forKey: key).map(String.init) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw SettingsError.invalid(variable, text, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func url(_ key: ConfigKey, _ variable: String) throws -> URL? {
        guard let text = reader.string(forKey: key), !text.isEmpty else { return nil }
        guard let url = URL(string: text), let scheme = url.scheme, ["http", "https"].contains(scheme), url.host != nil
        else { throw SettingsError.invalid(variable, text, "a URL such as https://www.zohoapis.eu") }
        return url
    }
}
