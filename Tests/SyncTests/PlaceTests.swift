import Foundation
import Mirror
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Where an interrupted list goes on")
struct PlaceTests {
    /// Eight pages of items whose list tells no total.
    private static func with(_ body: (Rig) async throws -> Void) async throws {
        try await Rig.with(.sqlite) {
            $0.counts[.items] = 1_600
            $0.listTotals = .none
        } _: { rig in
            try await body(rig)
        }
    }

    private static func list(_ rig: Rig, _ mode: SyncOptions.Mode = .automatic) async throws -> Run {
        let report = try await rig.sync(["products"]) {
            $0.mode = mode
            $0.includesDetails = false
        }
        return try #require(report.runs.first)
    }

    private static func interrupt(_ rig: Rig, _ mode: SyncOptions.Mode = .automatic) async throws {
        let report = try await rig.interrupted(["products"], after: 4) {
            $0.mode = mode
            $0.includesDetails = false
        }
        #expect(report.runs.map(\.state) == [.interrupted])
        #expect(try await rig.mirror.cursor(of: "products").resumePage ?? 0 >= 5)
    }

    @Test("A list that was interrupted more than an hour ago begins anew")
    func expired() async throws {
        try await Self.with { rig in
            try await Self.interrupt(rig)
            rig.control.advanceClock(by: .seconds(3_700))
            #expect(try await Self.list(rig).progress.pages == 8)
        }
    }

    @Test(
        "A full sync that was interrupted goes on, asked for again or not",
        arguments: [SyncOptions.Mode.full, .automatic])
    func full(mode: SyncOptions.Mode) async throws {
        try await Self.with { rig in
            _ = try await Self.list(rig)
            try await Self.interrupt(rig, .full)
            rig.control.advanceClock(by: .seconds(60))
            let run = try await Self.list(rig, mode)
            #expect(run.progress.pages <= 5 && run.kind == (mode == .full ? .full : .incremental))
            #expect(try await rig.mirror.cursor(of: "products").resumePage == nil)
        }
    }

    @Test("Who asks for a full sync does not get the end of an incremental one")
    func otherMode() async throws {
        try await Self.with { rig in
            _ = try await Self.list(rig)
            try await Self.interrupt(rig)
            let run = try await Self.list(rig, .full)
            #expect(run.kind == .full && run.progress.pages == 8)
        }
    }

    @Test(
        "A filtered sync in between, whole or interrupted, costs an interrupted list nothing", arguments: [false, true])
    func filtered(isInterrupted: Bool) async throws {
        try await Self.with { rig in
            try await Self.interrupt(rig)
            let before = try await rig.mirror.cursor(of: "products")
            if isInterrupted {
                _ = try await rig.interrupted(["products"], after: 2) {
                    $0.isWithStockOnly = true
                    $0.includesDetails = false
                }
            } else {
                try await rig.sync(["products"]) {
                    $0.isWithStockOnly = true
                    $0.includesDetails = false
                }
            }
            #expect(try await rig.mirror.cursor(of: "products") == before)
            #expect(try await Self.list(rig).progress.pages <= 5)
        }
    }

    @Test("A filtered sync that was interrupted goes on too")
    func filteredGoesOn() async throws {
        try await Self.with { rig in
            _ = try await rig.interrupted(["products"], after: 4) {
                $0.isWithStockOnly = true
                $0.includesDetails = false
            }
            let report = try await rig.sync(["products"]) {
                $0.isWithStockOnly = true
                $0.includesDetails = false
            }
            #expect(try report.firstRun.progress.pages <= 5)
            #expect(try await rig.mirror.cursor(of: "products").resumePage == nil)
            #expect(try await rig.mirror.cursor(of: "products").listedAt == nil)
        }
    }

    @Test("A list that is longer than a day's calls goes on the next day")
    func quota() async throws {
        var limits = BudgetLimits()
        limits.callsPerMinute = nil
        limits.detailCallsPerMinute = nil
        limits.reserve = 0
        try await Rig.with(.sqlite, limits: limits) {
            $0.counts[.items] = 1_600
            $0.limits.callsPerDay = 4
        } _: { rig in
            var pages: [Int] = []
            for _ in 0..<6 {
                let report = try await rig.sync(["products"]) { $0.includesDetails = false }
                pages.append(try report.firstRun.progress.pages)
                if try report.firstRun.state == .completed { break }
                rig.control.advanceClock(by: .seconds(86_400))
            }
            #expect(pages.count <= 4, "\(pages)")
            #expect(try await rig.value("select count(*) from products") == "1600")
        }
    }
}
