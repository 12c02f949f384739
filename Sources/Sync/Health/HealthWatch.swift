package import Alerts
import Database
import Foundation
package import Logging
package import Mirror
import Synchronization
import ZohoBooks

/// Inspects everything from time to time, stores what it finds, and sends alerts where a state changes.
package struct HealthWatch: Sendable {
    private let mirror: Mirror
    private let inspector: HealthInspector
    private let organization: String
    /// The first one is the log.
    private let targets: [any AlertTarget]
    private let ping: DeadMansPing?
    /// Stores what has to be stored before the inspection.
    private let prepare: @Sendable () async -> Void
    private let logger: Logger
    /// The last records, for when the database does not answer.
    private let last = LastRecords()

    /// How long the database may take; one that hangs must not keep alerts from being sent.
    private static let timeout = Duration.seconds(10)
    /// Microseconds between two inspections that cost calls, while their checks are well and while they are not.
    private static let deepPause: (well: Int64, unwell: Int64) = (Timestamp.day, 3_600_000_000)

    /// - Parameters:
    ///   - organization: the organisation's id, which alerts name.
    ///   - targets: where alerts go beside the log.
    ///   - ping: sent after each inspection at which nothing is critical.
    ///   - prepare: stores what has to be stored before the inspection.
    package init(
        mirror: Mirror, inspector: HealthInspector, organization: String?, targets: [any AlertTarget] = [],
        ping: DeadMansPing? = nil, logger: Logger, prepare: @escaping @Sendable () async -> Void = {}
    ) {
        self.mirror = mirror
        self.inspector = inspector
        self.organization = organization ?? ""
        self.targets = [LogTarget(logger: logger)] + targets
        self.ping = ping
        self.logger = logger
        self.prepare = prepare
    }

    /// The checks as this process found them last, by name.
    package var remembered: [HealthRecord] { last.get().values.sorted { $0.name < $1.name } }

    /// Makes the checks.
    ///
    /// - Returns: what was found, in a few words.
    package func check() async -> String {
        await prepare()
        let before = await records()
        let (checks, isWhole) = await inspector.inspection(depth(before["scopes"]))
        let time = mirror.now()
        var records = checks.map { check in check.record(before: before[check.name], at: time) }
        let made = Set(checks.map(\.name))
        let passing = Set(checks.filter(\.isPassing).map(\.name))
        // A check that was not made now stays as it was found, and can still be reported; one that is no longer made is
        // over.
        records += before.values.filter { !made.contains($0.name) }.map { record in
            inspector.stands(record, beside: checks, isWhole: isWhole) ? record : record.lapsed(at: time)
        }
        for target in targets {
            let decision = AlertDecision(records.filter { !passing.contains($0.name) }, for: target.name, now: time)
            if await tell(target, decision) { records = decision.told(records, at: time) }
        }
        let found = records
        last.set(found)
        do {
            try await uncancelled { [mirror] in try await within(Self.timeout) { try await mirror.save(found) } }
        } catch {
            logger.warning("The state of health cannot be stored", metadata: ["error": "\(error)"])
        }
        // What only a deeper look finds counts until the next one.
        if !found.contains(where: { $0.state == HealthCheck.State.critical.rawValue }) { await sendPing() }
        let unwell = checks.filter { $0.state != .ok }
        return unwell.isEmpty ? "ok" : unwell.map { "\($0.name) \($0.state.rawValue)" }.joined(separator: ", ")
    }

    private func records() async -> [String: HealthRecord] {
        let stored = (try? await within(Self.timeout) { try await mirror.healthRecords() }) ?? []
        // While the database was away only this process knew what was found and reported.
        return last.get().merging(stored.map { ($0.name, $0) }) { known, stored in
            known.checkedAt >= stored.checkedAt ? known : stored
        }
    }

    /// Calls are scarce, and what they find rarely changes.
    private func depth(_ scopes: HealthRecord?) -> HealthInspector.Depth {
        guard let scopes else { return .source }
        let pause = scopes.state == "ok" ? Self.deepPause.well : Self.deepPause.unwell
        return mirror.now() - scopes.checkedAt >= pause ? .source : .access
    }

    /// - Returns: whether the target has taken an alert.
    private func tell(_ target: any AlertTarget, _ decision: AlertDecision) async -> Bool {
        guard let alert = decision.alert(organization: organization) else { return false }
        do {
            try await target.send(alert)
            return true
        } catch {
            logger.error("An alert could not be sent", metadata: ["target": "\(target.name)", "error": "\(error)"])
            return false
        }
    }

    private func sendPing() async {
        guard let ping else { return }
        do {
            try await ping.send()
        } catch {
            logger.warning("The external monitor could not be pinged", metadata: ["error": "\(error)"])
        }
    }
}

extension HealthCheck {
    /// The check as it is kept, beside what was kept of it before.
    fileprivate func record(before: HealthRecord?, at time: Int64) -> HealthRecord {
        let isSame = before?.state == state.rawValue
        return HealthRecord(
            name: name, state: state.rawValue, figure: figure, advice: advice,
            parts: parts.flatMap { try? JSONEncoder().encode($0) }.map { RawJSON(ArraySlice($0)) }, checkedAt: time,
            since: isSame ? before?.since ?? time : time, told: before?.told ?? [:])
    }
}

extension HealthRecord {
    /// The check once it is no longer made: nobody has to do anything about it.
    fileprivate func lapsed(at time: Int64) -> HealthRecord {
        let well = HealthCheck.State.ok.rawValue
        guard state != well else { return self }
        return HealthRecord(
            name: name, state: well, figure: 0, advice: "", parts: nil, checkedAt: time, since: time, told: told)
    }
}

/// The log, which takes every alert.
private struct LogTarget: AlertTarget {
    let logger: Logger
    let name = "log"

    func send(_ alert: Alert) {
        logger.log(
            level: alert.status == "ok" ? .notice : .warning, "Health has changed",
            metadata: ["alert": "\(alert.text.replacing("\n", with: " | "))"])
    }
}

/// The records as they were last.
private final class LastRecords: Sendable {
    private let records = Mutex<[String: HealthRecord]>([:])

    func get() -> [String: HealthRecord] { records.withLock { $0 } }

    func set(_ new: [HealthRecord]) {
        records.withLock { $0 = Dictionary(new.map { ($0.name, $0) }, uniquingKeysWith: { $1 }) }
    }
}
