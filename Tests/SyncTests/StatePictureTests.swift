import Database
import Foundation
import Mirror
import Sync
import TestSupport
import Testing
import ZohoBooks

@Suite("docs/states.md")
struct StatePictureTests {
    /// The states that there are, by the heading under which they are drawn.
    private static let states: [String: [String]] = [
        "Runs": Run.State.allCases.map(\.rawValue),
        // What a worker has in hand is claimed; the others are never in hand.
        "Deliveries": ["waiting", "claimed"],
        "Dead letters": DeadLetter.State.allCases.map(\.rawValue),
        "Leases": Lease.State.allCases.map(\.rawValue),
        "Tasks of the schedule": ScheduleRecord.State.allCases.map(\.rawValue),
        "Healing": HealingRecord.State.allCases.map(\.rawValue),
        "Checks": HealthCheck.State.allCases.map(\.rawValue),
    ]

    @Test("Each picture has the states that the code has, and every one of them can be come by")
    func pictures() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: folder.appending(path: "docs/states.md"), encoding: .utf8)
        var drawn: Set<String> = []
        for section in page.split(separator: "\n## ").dropFirst() {
            let heading = String(section.prefix { $0 != "\n" })
            let picture = try #require(section.firstMatch(of: /```mermaid\nstateDiagram-v2\n((?s).*?)```/)).output.1
            var left: Set<String> = []
            var entered: Set<String> = []
            for line in picture.split(separator: "\n") {
                // A colon or a semicolon ends a label; the rest of it would not be drawn.
                let arrow = try #require(
                    line.wholeMatch(of: #/ +(\[\*\]|[a-z_]+) --> (\[\*\]|[a-z_]+)(?:: [^:;]+)?/#), "\(heading): \(line)"
                )
                left.insert(String(arrow.output.1))
                entered.insert(String(arrow.output.2))
            }
            let states = Set(try #require(Self.states[heading]))
            #expect(left.union(entered).subtracting(["[*]"]) == states, "\(heading)")
            #expect(entered.isSuperset(of: states) && left.contains("[*]"), "\(heading)")
            drawn.insert(heading)
        }
        #expect(drawn == Set(Self.states.keys))
    }

    @Test("The database takes the states that the code has, and no other word", arguments: Engine.allCases)
    func checks(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            let run = try await mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "a")
            let time = mirror.now()
            try await mirror.record(
                Reconciliation(
                    runID: run.id, entity: "products", state: .equal, startedAt: time, endedAt: time, listed: 0,
                    rowsCompared: 0, detailsCompared: 0, calls: 0, drift: RawJSON("{}"), note: nil))
            try await mirror.save(ScheduleRecord(name: "health", dueAt: time))
            try await mirror.save([
                HealthRecord(
                    name: "drift", state: "ok", figure: 0, advice: "", parts: nil, checkedAt: time, since: time)
            ])
            _ = try await mirror.store([
                NewDelivery(
                    entity: "products", content: .unreadable(body: Array("x".utf8), reason: "x"), receivedAt: time,
                    requestID: nil)
            ])
            try await mirror.record(
                HealingRecord(action: "prune", reason: "", state: .done, outcome: "", changed: 0, at: time))
            let tables = [
                ("sync_runs", Run.State.allCases.map(\.rawValue)),
                ("sync_reconciliations", Reconciliation.State.allCases.map(\.rawValue)),
                ("sync_dead_letters", DeadLetter.State.allCases.map(\.rawValue)),
                ("sync_schedule", ScheduleRecord.State.allCases.map(\.rawValue)),
                ("sync_actions", HealingRecord.State.allCases.map(\.rawValue)),
                ("sync_health", HealthCheck.State.allCases.map(\.rawValue)),
            ]
            for (table, states) in tables {
                for state in states {
                    let changed = try await mirror.database.write {
                        try $0.execute("update \(table) set state = $1", [.text(state)])
                    }
                    #expect(changed == 1, "\(table) \(state)")
                }
                await #expect(throws: DatabaseError.self, "\(table)") {
                    try await mirror.database.write { try $0.script("update \(table) set state = 'other'") }
                }
            }
        }
    }
}
