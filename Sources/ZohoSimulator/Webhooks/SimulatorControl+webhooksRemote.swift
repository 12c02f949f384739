import Foundation

/// Webhooks and traffic by HTTP.
extension SimulatorControl {
    /// Changes the settings of webhooks that are named and leaves the others; with anything wrong, nothing changes.
    func setWebhooks(_ given: [String: Any]) throws {
        var changed = webhooks
        for (key, value) in given {
            guard try changed.set(key, value) else {
                throw BadRequest(
                    message: "There is no setting \(key) with a value such as \(value); see the documentation.")
            }
        }
        webhooks = changed
    }

    /// The rules, the counts, and what is under way; never the secret.
    var webhookReport: Answer {
        get throws {
            let statistics = webhookStatistics
            let failedCalls = Dictionary(
                uniqueKeysWithValues: statistics.failedCalls.map { (String($0.key), $0.value) })
            let rules = webhooks.rules.map { rule in
                ["module": rule.module.rawValue, "events": rule.events.map(\.rawValue).sorted(), "url": rule.url]
                    as [String: Any]
            }
            return try .json(
                "webhooks",
                [
                    "rules": rules, "is_signed": webhooks.secret != nil && webhooks.signature != nil,
                    "unsettled": unsettledDeliveries, "fired": statistics.fired, "sent": statistics.sent,
                    "acknowledged": statistics.acknowledged, "failed": statistics.failed,
                    "retried": statistics.retried, "lost": statistics.lost, "duplicated": statistics.duplicated,
                    "refused_by_cap": statistics.refusedByCap, "failed_calls": failedCalls,
                ])
        }
    }

    /// The acknowledged deliveries that are remembered, without the first ones.
    func acknowledgedReport(skipping count: Int) throws -> Answer {
        try .json(
            "deliveries",
            acknowledgedDeliveries.dropFirst(max(0, count)).map { delivery in
                [
                    "module": delivery.module.rawValue, "event": delivery.event.rawValue, "id": delivery.id,
                    "last_modified_time": delivery.lastModifiedTime, "record_status": delivery.recordStatus,
                    "status": delivery.status,
                ] as [String: Any]
            })
    }

    /// The rate and the counts of the traffic.
    var trafficReport: Answer {
        get throws {
            let statistics = trafficStatistics
            return try .json(
                "traffic",
                [
                    "per_second": statistics.perSecond, "changes": statistics.changes, "edited": statistics.edited,
                    "created": statistics.created, "deleted": statistics.deleted,
                ])
        }
    }
}

extension SimulatorConfiguration.Webhooks {
    /// Gives a setting, spelt as over HTTP, a value; false if there is no such setting or the value is none for it.
    fileprivate mutating func set(_ key: String, _ value: Any) throws -> Bool {
        func put<Value>(_ place: WritableKeyPath<Self, Value>, _ new: Value?) -> Bool {
            guard let new else { return false }
            self[keyPath: place] = new
            return true
        }
        func orNone<Value>(_ new: Value?) -> Value?? { value is NSNull ? .some(nil) : new.map { .some($0) } }
        let text = value as? String
        let count = (value as? Int).flatMap { $0 >= 0 ? $0 : nil }
        let share = (value as? Double).flatMap { (0...1).contains($0) ? $0 : nil }
        let seconds = (value as? Double).flatMap { $0 >= 0 ? Duration.seconds($0) : nil }
        switch key {
        case "base_url": return put(\.rules, text.map(WebhookRule.all(below:)))
        case "rules": return put(\.rules, try (value as? [[String: Any]])?.map(WebhookRule.init(remote:)))
        case "secret": return put(\.secret, orNone(text))
        case "signature":
            return put(\.signature, text == "none" ? .some(nil) : orNone(text.flatMap(WebhookSignature.Encoding.init)))
        case "headers": return put(\.headers, value as? [String: String])
        case "body": return put(\.body, text.flatMap(Body.init))
        case "names_event": return put(\.namesEvent, value as? Bool)
        case "payment_key": return put(\.paymentKey, text)
        case "organization_id": return put(\.organizationID, orNone(text.flatMap(OrganizationID.init)))
        case "gzip": return put(\.gzip, value as? Bool)
        case "loss": return put(\.loss, share)
        case "duplicates": return put(\.duplicates, share)
        case "reordering": return put(\.reordering, share)
        case "reordering_delay": return put(\.reorderingDelay, seconds)
        case "calls_per_day": return put(\.callsPerDay, orNone(count))
        case "retries": return put(\.retries, count)
        case "retry_interval": return put(\.retryInterval, seconds)
        case "retry_growth": return put(\.retryGrowth, text.flatMap(RetryGrowth.init))
        case "queue_limit": return put(\.queueLimit, count.flatMap { $0 > 0 ? $0 : nil })
        default: return false
        }
    }
}

extension WebhookRule {
    /// Reads `{"module": "items", "events": ["edited"], "url": "http://…"}`; without events it is for all.
    fileprivate init(remote given: [String: Any]) throws {
        let names = given["events"] as? [String] ?? WebhookEvent.allCases.map(\.rawValue)
        let events = names.compactMap(WebhookEvent.init)
        guard let module = (given["module"] as? String).flatMap(WebhookModule.init),
            let url = given["url"] as? String, events.count == names.count
        else {
            let known = WebhookModule.allCases.map(\.rawValue).joined(separator: ", ")
            throw SimulatorControl.BadRequest(
                message: "A rule has a url, events of created, edited and deleted, and a module of \(known).")
        }
        self.init(module, Set(events), url: url)
    }
}

extension Answer {
    /// A success with one member, an object or array of plain values.
    fileprivate static func json(_ key: String, _ value: Any) throws -> Answer {
        let data = try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .withoutEscapingSlashes])
        return success(key, capacity: data.count + 64) { $0.raw(data) }
    }
}
