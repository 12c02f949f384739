import Alerts
import Database
package import Mirror

/// Which checks a target is told of now, decided without clock or I/O.
package struct AlertDecision: Sendable, Hashable {
    /// The checks whose state differs from what the target was told last.
    let due: [HealthRecord]
    private let target: String

    /// The least time between two alerts about one check to one target, in microseconds.
    static let pause: Int64 = 3_600_000_000

    /// - Parameters:
    ///   - target: the name of the target; what another one was told does not count.
    ///   - now: microseconds since 1970.
    package init(_ records: [HealthRecord], for target: String, now: Int64) {
        self.target = target
        due = records.filter { record in
            guard record.state != record.toldState(target) else { return false }
            return record.told[target].map { now - $0.at >= Self.pause } ?? true
        }
    }

    /// The alert to send; nil where there is none.
    func alert(organization: String) -> Alert? {
        guard !due.isEmpty else { return nil }
        return Alert(
            organization: organization,
            items: due.map {
                Alert.Item(
                    check: $0.name, state: $0.state, before: $0.toldState(target), figure: $0.figure,
                    advice: $0.advice, since: Timestamp.seconds($0.since), parts: HealthCheck($0)?.parts ?? [:])
            })
    }

    /// The records once the alert has been sent.
    package func told(_ records: [HealthRecord], at time: Int64) -> [HealthRecord] {
        let names = Set(due.map(\.name))
        return records.map { record in
            guard names.contains(record.name) else { return record }
            var told = record
            told.told[target] = HealthRecord.Told(state: record.state, at: time)
            return told
        }
    }
}

extension HealthRecord {
    /// The state of which a target was told last; `ok` where it was never told.
    fileprivate func toldState(_ target: String) -> String { told[target]?.state ?? HealthCheck.State.ok.rawValue }
}
