import Alerts
import ArgumentParser
import Database
import Foundation
import Mirror
import Server
import Sync
import ZohoBooks

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Checks everything that can go wrong, and says what to do.",
        discussion: """
            The checks follow the order in which you set up an installation, and work before the first sync too. Gets \
            an access token, which running servers share, and makes one call for each kind of record; --offline does \
            neither. Exits with 1 if anything is critical.
            """)

    @Flag(help: "Make no calls to Zoho; checks that need one show what a running server last found.")
    var offline = false

    @Flag(help: "Send a trial alert to every configured target, and run no checks.")
    var trialAlert = false

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let settings = try await Settings(file: common.config)
        if trialAlert { return try await sendTrial(settings) }
        let checks = try await checks(settings)
        let state = checks.map(\.state).max() ?? .ok
        if common.json {
            Console.print(HealthDocument(checks).json(indented: true))
        } else {
            Console.print(Self.text(checks))
        }
        if state == .critical { throw ExitCode(ExitStatus.failure) }
    }

    private func sendTrial(_ settings: Settings) async throws {
        let targets = try settings.alertTargets()
        guard !targets.isEmpty else {
            throw SettingsError.missing("ZOHOSYNC_ALERT_SLACK_URL, _WEBHOOK_URL, _SMTP_URL or _COMMAND")
        }
        let alert = Alert(
            organization: try settings.organizationID(),
            items: [
                .init(
                    check: "trial", state: "warning", before: "ok", figure: 1,
                    advice: "This is a trial alert; nothing is wrong.", since: Timestamp.seconds(Installation.now()))
            ])
        var trials: [TrialDocument] = []
        for target in targets {
            var reason: String?
            do { try await target.send(alert) } catch { reason = "\(error)" }
            trials.append(TrialDocument(target: target.name, sent: reason == nil, error: reason))
            // A slow target must not delay the results of the others.
            if !common.json { Console.print("\(target.name): \(reason ?? "sent")") }
        }
        if common.json { Console.print(trials.json(indented: true)) }
        if !trials.allSatisfy(\.sent) { throw ExitCode(ExitStatus.failure) }
    }

    private func checks(_ settings: Settings) async throws -> [HealthCheck] {
        let thresholds = try settings.thresholds()
        let missing = settings.missingCredentials
        let asksZoho = missing.isEmpty && !offline
        if missing.isEmpty { _ = try settings.zohoBooks() }
        let credentials = HealthCheck(
            "credentials", missing.isEmpty ? .ok : .critical, Double(missing.count),
            "Not set: \(missing.joined(separator: ", ")). docs/configuration.md says where to find each; zohosync auth "
                + "prints ZOHO_REFRESH_TOKEN and ZOHO_ORGANIZATION_ID.")
        do {
            return [credentials]
                + (try await Installation.examine(settings, databaseURL: common.databaseURL) { installation, access in
                    try await inspect(installation, access, settings, thresholds, asksZoho: asksZoho)
                })
        } catch let error as DatabaseError {
            return [credentials, Self.check(of: error)] + (asksZoho ? try await Self.source(settings, thresholds) : [])
        }
    }

    private func inspect(
        _ installation: Installation, _ access: DatabaseAccess, _ settings: Settings, _ thresholds: HealthThresholds,
        asksZoho: Bool
    ) async throws -> [HealthCheck] {
        func inspector(_ client: ZohoBooksClient?) -> HealthInspector {
            HealthInspector(
                mirror: installation.mirror, client: client, organizationID: try? settings.organizationID(),
                thresholds: thresholds, expectsWebhooks: settings.expectsWebhooks,
                schedule: (try? settings.schedule()) ?? .off)
        }
        guard asksZoho else { return await inspector(nil).inspectWithStored(.mirror) }
        guard access == .readWrite else {
            if try await installation.mirror.isPrepared() { return await inspector(nil).inspectWithStored(.mirror) }
            return try await Installation.withLoneClient(settings) { await inspector($0).inspect(.source) }
        }
        return try await installation.withClient(settings) { await inspector($0).inspect(.source) }
    }

    /// The checks that need only Zoho, where there is no database.
    private static func source(_ settings: Settings, _ thresholds: HealthThresholds) async throws -> [HealthCheck] {
        try await Installation.withLoneClient(settings) { client in
            await SourceInspector(client: client, thresholds: thresholds, now: { Installation.now() })
                .inspect(asksZoho: true)
        }
    }

    private static func check(of error: DatabaseError) -> HealthCheck {
        // Before the first sync there is no file, and that is no fault.
        error.code == "SQLITE_CANTOPEN" && error.kind == .unavailable
            ? HealthCheck("database", .warning, 0, "\(error.message). Run zohosync sync, which creates it.")
            : HealthCheck("database", .critical, -1, "\(error)")
    }

    private static func text(_ checks: [HealthCheck]) -> String {
        var lines = TextTable(
            [["check", "state", "figure"]]
                + checks.map { [$0.name, $0.state.rawValue, $0.figure.shown] }
        ).lines
        for check in checks where !check.advice.isEmpty {
            lines.append("\(check.name): \(check.advice)")
            for (part, number) in (check.parts ?? [:]).sorted(by: { $0.key < $1.key }) {
                lines.append("    \(part): \(number.grouped)")
            }
        }
        if checks.allSatisfy({ $0.state == .ok }) { lines.append("All is well.") }
        return lines.joined(separator: "\n")
    }
}

/// What became of a trial alert, as JSON for machines.
private struct TrialDocument: Encodable {
    let target: String
    let sent: Bool
    /// Why the target did not accept it.
    @Nullable var error: String?
}

extension Double {
    /// Up to one place.
    fileprivate var shown: String {
        self == rounded() ? Int(self).grouped : String(format: "%.1f", self)
    }
}
