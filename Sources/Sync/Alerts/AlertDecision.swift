import Alerts
import Database
package import Mirror

/// Of which checks somebody is told now; a value without clock or I/O.
package struct AlertDecision: Sendable, Hashable {
    /// The checks whose state differs from what was told last.
    let due: [HealthRecord]

    /// Microseconds that lie between two alerts of one check at least.
    static let pause: Int64 = 3_600_000_000

    /// - Parameter now: microseconds since 1970.
    package init(_ records: [HealthRecord], now: Int64) {
        due = records.filter { record in
            guard record.state != record.toldState else { return false }
            return record.toldAt.map { now - $0 >= Self.pause } ?? true
        }
    }

    /// What is told; nil where there is nothing.
    func alert(organization: String) -> Alert? {
        guard !due.isEmpty else { return nil }
        return Alert(
            organization: organization,
            items: due.map {
                Alert.Item(
                    check: $0.name, state: $0.state, before: $0.toldState, figure: $0.figure, advice: $0.advice,
                    since: Timestamp.seconds($0.since))
            })
    }

    /// The records once it has been told.
    package func told(_ records: [HealthRecord], at time: Int64) -> [HealthRecord] {
        let names = Set(due.map(\.name))
        return records.map { record in
            guard names.contains(record.name) else { return record }
            var told = record
            told.toldState = record.state
            told.toldAt = time
            return told
        }
    }
}
