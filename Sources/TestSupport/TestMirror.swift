import Database
import Logging
package import Mirror
import Synchronization

/// A time that stands still until a test moves it.
package final class ManualTime: Sendable {
    private let microseconds: Mutex<Int64>

    /// Microseconds since 1970.
    package var now: Int64 { microseconds.withLock { $0 } }

    /// Begins at 2026-03-02T12:00:00Z.
    package init(_ microseconds: Int64 = 1_772_452_800_000_000) {
        self.microseconds = Mutex(microseconds)
    }

    /// Lets this many seconds pass.
    package func advance(by seconds: Double) {
        microseconds.withLock { $0 += Int64(seconds * 1_000_000) }
    }
}

/// The organisation of the tests' mirrors.
package let testOrganisation = "60000000001"

/// Runs a test with an empty mirror of its own.
package func withMirror<T>(
    _ engine: Engine, time: ManualTime = ManualTime(), _ body: (Mirror) async throws -> T
) async throws -> T {
    try await withDatabase(engine) { database in
        let mirror = Mirror(database: database, now: { time.now }, logger: Logger(label: "test.mirror"))
        try await mirror.prepare(organizationID: testOrganisation)
        return try await body(mirror)
    }
}

extension Mirror {
    /// What healing has done, the newest first.
    package func healings(limit: Int = 20) async throws -> [HealingRecord] {
        try await database.read { transaction in
            try transaction.query(
                "select action, reason, state, outcome, changed, at from sync_actions order by id desc limit $1",
                [.integer(Int64(limit))]
            ).compactMap { row in
                guard let action = row.text(0), let reason = row.text(1),
                    let state = row.text(2).flatMap({ HealingRecord.State(rawValue: $0) }), let outcome = row.text(3),
                    let changed = row.int(4), let at = row.instant(5)
                else { return nil }
                return HealingRecord(
                    action: action, reason: reason, state: state, outcome: outcome, changed: Int(changed), at: at)
            }
        }
    }
}
