import Alerts
import AsyncHTTPClient
import Configuration
import Foundation
import Server
import Sync
import ZohoBooks

extension Settings {
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

    /// `ZOHOSYNC_DELETIONS_PERCENT`: the share of an entity's rows that may be taken for deleted without a person's
    /// consent.
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

    /// What a server does on its own.
    func watch() throws -> WatchConfiguration {
        var watch = WatchConfiguration()
        watch.organization = try organizationID()
        watch.thresholds = try thresholds()
        watch.schedule = try schedule()
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

    /// `ZOHOSYNC_HEALTH_<CHECK>_WARNING` and `…_CRITICAL`: the figures above which a check is no longer well;
    /// `…_SECONDS`: how long something has to last before it is counted.
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
}
