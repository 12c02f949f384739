import Foundation
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Up to where an entity is current")
struct WatermarkTests {
    /// Five pages of invoices, which are listed one page after the other.
    private static func with(
        totals: SimulatorConfiguration.ListTotals = .none,
        onPage: (@Sendable (SimulatorModule, Int) async -> Void)? = nil, _ body: (Rig) async throws -> Void
    ) async throws {
        try await Rig.with(.sqlite) {
            $0.counts[.invoices] = 1_000
            $0.listTotals = totals
            $0.onPage = onPage
        } _: { rig in
            try await body(rig)
        }
    }

    /// Does something when the first page is committed.
    private static func afterFirstPage(
        _ work: @escaping @Sendable () throws -> Void
    ) -> @Sendable (SyncEvent) async -> Void {
        let isFirst = Mutex(true)
        return { event in
            guard event.phase == .list, isFirst.withLock({ exchange(&$0, with: false) }) else { return }
            do { try work() } catch { Issue.record(error) }
        }
    }

    /// Invoices whose reference number is not the source's, by index.
    private static func different(_ rig: Rig) async throws -> [Int] {
        let rows = try await rig.rows("select zoho_invoice_id, reference_number from invoices")
        let found = Dictionary(uniqueKeysWithValues: rows.map { ($0[0] ?? "", $0[1] ?? "") })
        return try (0..<rig.control.count(.invoices)).filter { index in
            let id = rig.control.id(.invoices, at: index)
            return found[id] != (try rig.record(.invoices, id)["reference_number"] as? String ?? "")
        }
    }

    @Test("An edit of a page that was read already, while a long list goes on, comes with the next sync")
    func uninterrupted() async throws {
        try await Self.with { rig in
            let control = rig.control
            try await rig.sync(
                ["invoices"], inFlight: 1, { $0.includesDetails = false },
                onEvent: Self.afterFirstPage {
                    try control.edit(.invoices, at: 0, ["reference_number": "early"])
                    control.advanceClock(by: .seconds(900))
                    try control.edit(.invoices, at: 999, ["reference_number": "late"])
                })
            #expect(try await Self.different(rig) == [0])
            control.advanceClock(by: .seconds(900))
            let next = try await rig.sync(["invoices"]) { $0.includesDetails = false }
            #expect(try next.firstRun.kind == .incremental && next.firstRun.progress.calls == 1)
            #expect(try await Self.different(rig).isEmpty)
        }
    }

    @Test(
        "An edit of a page that was read before a list was interrupted comes with the sync after the one that goes on")
    func resumed() async throws {
        try await Self.with { rig in
            let control = rig.control
            let report = try await rig.interrupted(["invoices"], after: 3, { $0.includesDetails = false }) {
                try control.edit(.invoices, at: 0, ["reference_number": "early"])
            }
            #expect(try report.firstRun.state == .interrupted)
            control.advanceClock(by: .seconds(3_000))
            try control.edit(.invoices, at: 999, ["reference_number": "late"])
            let resumed = try await rig.sync(["invoices"]) { $0.includesDetails = false }
            #expect(try resumed.firstRun.progress.pages < 5)
            #expect(try await Self.different(rig) == [0])
            control.advanceClock(by: .seconds(900))
            try await rig.sync(["invoices"]) { $0.includesDetails = false }
            #expect(try await Self.different(rig).isEmpty)
        }
    }

    @Test(
        "A record that a deletion moves to a page that was read already comes with the next sync", arguments: [1, 40])
    func deletedMeanwhile(hours: Int) async throws {
        // Deletes when the first page has been made and is on its way.
        let deletion = Mutex<(@Sendable () throws -> Void)?>(nil)
        let onPage: @Sendable (SimulatorModule, Int) async -> Void = { _, page in
            guard page == 1, let delete = deletion.withLock({ exchange(&$0, with: nil) }) else { return }
            do { try delete() } catch { Issue.record(error) }
        }
        try await Self.with(totals: .all, onPage: onPage) { rig in
            let control = rig.control
            let moved = control.id(.invoices, at: 200)
            deletion.withLock { $0 = { try control.delete(.invoices, id: control.id(.invoices, at: 3)) } }
            try await rig.sync(["invoices"]) { $0.includesDetails = false }
            let missing = "select count(*) from invoices where zoho_invoice_id = '\(moved)'"
            #expect(try await rig.value(missing) == "0")
            control.advanceClock(by: .seconds(3_600))
            let next = try await rig.sync(["invoices"]) { $0.includesDetails = false }
            #expect(next.runs[0].kind == .incremental && next.runs[0].progress.pages == 5)
            #expect(try await rig.value(missing) == "1")
            // Once a list has left nothing out, what changed is enough, until that is long ago.
            control.advanceClock(by: .seconds(hours * 3_600))
            let short = try await rig.sync(["invoices"]) { $0.includesDetails = false }
            #expect(short.runs[0].progress.pages == (hours == 1 ? 1 : 5))
        }
    }

    @Test("Where every list is shorter than it said, one more is read whole and no other before its time")
    func alwaysShort() async throws {
        let organisation = Mutex<SimulatorControl?>(nil)
        let onPage: @Sendable (SimulatorModule, Int) async -> Void = { module, page in
            guard module == .invoices, page == 1, let control = organisation.withLock({ $0 }) else { return }
            do { try control.delete(.invoices, id: #require(control.ids(.invoices).first)) } catch {
                Issue.record(error)
            }
        }
        try await Self.with(totals: .all, onPage: onPage) { rig in
            organisation.withLock { $0 = rig.control }
            var pages: [Int] = []
            for hours in [1, 1, 1, 1, 40, 1, 1] {
                pages.append(try await rig.sync(["invoices"]) { $0.includesDetails = false }.firstRun.progress.pages)
                rig.control.advanceClock(by: .seconds(hours * 3_600))
            }
            #expect(pages == [5, 5, 1, 1, 1, 5, 5])
        }
    }

    @Test("A record from the future does not keep later edits out")
    func future() async throws {
        try await Self.with { rig in
            let control = rig.control
            try control.edit(.invoices, at: 5, ["last_modified_time": "2099-01-01T00:00:00+0100"])
            for round in 0..<3 {
                try await rig.sync(["invoices"]) { $0.includesDetails = false }
                let through = try #require(try await rig.mirror.cursor(of: "invoices").modifiedThrough)
                #expect(through <= rig.mirror.now())
                control.advanceClock(by: .seconds(3_600))
                try control.edit(.invoices, at: round, ["reference_number": .string("round \(round)")])
            }
            try await rig.sync(["invoices"]) { $0.includesDetails = false }
            #expect(try await Self.different(rig).isEmpty)
        }
    }

    @Test("Edits while a long incremental list goes on keep no other record out")
    func editsMeanwhile() async throws {
        try await Self.with { rig in
            let control = rig.control
            try await rig.sync(["invoices"]) { $0.includesDetails = false }
            control.advanceClock(by: .seconds(3_600))
            for index in 0..<700 { try control.edit(.invoices, at: index, ["reference_number": "first"]) }
            control.advanceClock(by: .seconds(3_600))
            let report = try await rig.sync(
                ["invoices"], inFlight: 1, { $0.includesDetails = false },
                onEvent: Self.afterFirstPage {
                    for index in 0..<20 { try control.edit(.invoices, at: index, ["reference_number": "second"]) }
                })
            #expect(try report.firstRun.kind == .incremental && report.firstRun.progress.pages == 4)
            #expect(try await Self.different(rig) == Array(0..<20))
            control.advanceClock(by: .seconds(900))
            try await rig.sync(["invoices"]) { $0.includesDetails = false }
            #expect(try await Self.different(rig).isEmpty)
        }
    }

    @Test("Asked for an incremental sync, it lists everything once and then what changed", arguments: Engine.allCases)
    func explicitIncremental(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            for expected in [30, 0] {
                let report = try await rig.sync(["invoices"]) { $0.mode = .incremental }
                #expect(report.runs.map(\.kind) == [.incremental])
                #expect(try report.firstRun.progress[.inserted] == expected)
                rig.control.advanceClock(by: .seconds(600))
            }
            try rig.control.edit(.invoices, at: 3, ["reference_number": "changed"])
            let report = try await rig.sync(["invoices"]) { $0.mode = .incremental }
            #expect(try report.firstRun.progress[.updated] > 0 && report.firstRun.progress.fetched == 2)
            try await CopyTests.expectEqual(rig, of: ["invoices"])
        }
    }

    @Test("An organisation without vendors has its contacts listed no further than to what is known")
    func noVendors() async throws {
        try await Rig.with(.sqlite) {
            $0.counts[.contacts] = 450
        } _: { rig in
            let control = rig.control
            for id in control.ids(.contacts) where try rig.record(.contacts, id)["contact_type"] as? String == "vendor"
            {
                try control.edit(.contacts, id: id, touching: false, ["contact_type": "customer"])
            }
            try await rig.sync(["customers", "vendors"]) { $0.includesDetails = false }
            #expect(try await rig.value("select count(*) from vendors") == "0")
            control.advanceClock(by: .seconds(3_600))
            for names in [["customers", "vendors"], ["vendors"]] {
                let calls = try await rig.calls { try await rig.sync(names) { $0.includesDetails = false } }
                #expect(calls == 1, "\(names)")
            }
        }
    }

    @Test("A server that ignores the order it is asked for has its list read to the end")
    func ignoredOrder() async throws {
        try await Rig.with(.sqlite) {
            $0.counts[.contacts] = 600
            $0.ignoresSort = [.contacts]
        } _: { rig in
            let control = rig.control
            try await rig.sync(["customers", "vendors"]) { $0.includesDetails = false }
            control.advanceClock(by: .seconds(3_600))
            for index in stride(from: 0, to: 600, by: 50) {
                try control.edit(.contacts, at: index, ["company_name": "Changed"])
            }
            try await rig.sync(["customers", "vendors"]) { $0.includesDetails = false }
            let changed = try await rig.value(
                """
                select (select count(*) from customers where company_name = 'Changed')
                    + (select count(*) from vendors where company_name = 'Changed')
                """)
            #expect(changed == "12")
        }
    }
}

private func exchange<T>(_ value: inout T, with new: T) -> T {
    defer { value = new }
    return value
}
