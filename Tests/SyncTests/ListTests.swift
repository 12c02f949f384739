import Foundation
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Lists")
struct ListTests {
    private static let minimum = [
        "/items": 7, "/contacts": 13, "/pricebooks": 1, "/invoices": 1, "/bills": 1, "/creditnotes": 1,
        "/salesorders": 1, "/customerpayments": 1,
    ]

    @Test(
        "The lists of the seed organisation cost exactly their pages, whether or not lists tell their totals",
        arguments: [SimulatorConfiguration.ListTotals.all, .documented, .none])
    func minimum(totals: SimulatorConfiguration.ListTotals) async throws {
        try await Rig.with(.sqlite) { configuration in
            configuration.counts = SimulatorConfiguration.seedOrganization
            configuration.listTotals = totals
        } _: { rig in
            let report = try await rig.sync { $0.includesDetails = false }
            #expect(report.isSuccess)
            #expect(rig.control.statistics.callsByPath == Self.minimum)
            #expect(report.runs.reduce(0) { $0 + $1.progress.calls } == 26)
            #expect(report.runs.reduce(0) { $0 + $1.progress.pages } == 26)
            #expect(try await rig.value("select count(*) from products") == "1312")
            #expect(
                try await rig.value("select (select count(*) from customers) + (select count(*) from vendors)")
                    == "2502")
        }
    }

    @Test("An incremental sync asks only for what changed where the module honours it, and lists the rest again")
    func incremental() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync()
            let calls = try await rig.calls { try await rig.sync() }
            // Items 3 pages, the others one each; a probe for each module of which nothing is known.
            #expect(calls <= 3 + 1 + 6 + 8)
            let again = try await rig.calls { try await rig.sync() }
            #expect(again == 3 + 1 + 6)
            #expect(try await rig.sync(["products"]) { $0.mode = .full }.firstRun.kind == .full)
            #expect(try await rig.sync(["invoices"]).firstRun.kind == .incremental)
        }
    }

    @Test("Details that no list shows to be outdated are read again once they are old, and then not again")
    func oldDetails() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["pricelists"])
            rig.control.advanceClock(by: .seconds(7 * 3_600))
            #expect(try await rig.sync(["pricelists"]).firstRun.progress.details == 4)
            rig.control.advanceClock(by: .seconds(900))
            #expect(try await rig.sync(["pricelists"]).firstRun.progress.details == 0)
        }
    }

    @Test(
        "Rows that a list holds twice, or without their time, are no harm", arguments: Engine.allCases,
        [SimulatorFault.duplicateRows, .missingModifiedTime])
    func oddRows(engine: Engine, fault: SimulatorFault) async throws {
        try await Rig.with(engine) { rig in
            rig.control.script(fault, next: 12)
            #expect(try await rig.sync().isSuccess)
            // What said no time is without it until a list says it.
            if fault == .duplicateRows { try await CopyTests.expectEqual(rig) }
            rig.control.advanceClock(by: .seconds(3_600))
            for module in [SimulatorModule.items, .contacts, .invoices] {
                for index in 0..<8 { try rig.control.edit(module, at: index, ["notes": "later"]) }
            }
            rig.control.script(fault, next: 12)
            #expect(try await rig.sync().isSuccess)
            rig.control.advanceClock(by: .seconds(3_600))
            #expect(try await rig.sync().isSuccess)
            try await CopyTests.expectEqual(rig)
        }
    }

    @Test(
        "Faults of the network and of Zoho that pass leave the same mirror",
        arguments: [
            SimulatorFault.internalError, .badGateway, .truncatedBody, .emptyBody, .connectionReset, .connectionLost,
        ])
    func faults(fault: SimulatorFault) async throws {
        try await Rig.with(.sqlite) {
            $0.faults = [fault: 0.08]
        } _: { rig in
            let report = try await rig.sync()
            #expect(report.isSuccess, "\(report.runs.compactMap(\.lastError))")
            try await CopyTests.expectEqual(rig)
            #expect(rig.control.statistics.faults[fault] ?? 0 > 5)
            // A connection that is reset before the request is read is a call to us and none to the simulator.
            let counted = report.runs.reduce(0) { $0 + $1.progress.calls }
            #expect(counted >= rig.control.statistics.calls)
            if fault != .connectionReset { #expect(counted == rig.control.statistics.calls) }
        }
    }

    @Test("Tokens that expire in the middle of one list after the other cost no record")
    func expiredTokens() async throws {
        try await Rig.with(.sqlite) { rig in
            let seen = Mutex<Set<String>>([])
            let report = try await rig.sync(onEvent: { event in
                guard event.phase == .list else { return }
                let isFirst = seen.withLock { $0.insert(event.entity).inserted }
                if isFirst, ["products", "customers", "invoices"].contains(event.entity) { rig.control.expireTokens() }
            })
            #expect(report.isSuccess)
            try await CopyTests.expectEqual(rig)
            #expect(rig.control.statistics.tokenRequests == 4)
        }
    }

    @Test(
        "Filters leave what they leave out as it is; the next sync without them brings it up to date",
        arguments: Engine.allCases)
    func filters(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let control = rig.control
            try await rig.sync()
            control.advanceClock(by: .seconds(600))
            let gone = control.id(.items, at: 0)
            try control.edit(.items, id: gone, ["name": "Renamed, then inactive"])
            try control.deactivate(.items, id: gone)
            let kept = control.id(.items, at: 1)
            try control.edit(.items, id: kept, ["name": "Still active"])
            let before = try await rig.rows("select name, status from products where zoho_item_id = '\(gone)'")
            let cursor = try await rig.mirror.cursor(of: "products")
            let filtered = try await rig.sync(["products"]) { $0.isActiveOnly = true }
            #expect(filtered.isSuccess)
            #expect(try await rig.rows("select name, status from products where zoho_item_id = '\(gone)'") == before)
            #expect(try await rig.value("select name from products where zoho_item_id = '\(kept)'") == "Still active")
            #expect(try await rig.mirror.cursor(of: "products").listedAt == cursor.listedAt)
            #expect(try await rig.mirror.cursor(of: "products").modifiedThrough == cursor.modifiedThrough)
            try await rig.sync(["products"])
            #expect(
                try await rig.rows("select name, is_active from products where zoho_item_id = '\(gone)'")
                    == [["Renamed, then inactive", "0"]])
        }
    }

    @Test("Products without stock are left out on request, and counted as skipped")
    func stockOnly() async throws {
        try await Rig.with(.sqlite) { rig in
            let report = try await rig.sync(["products"]) {
                $0.isWithStockOnly = true
                $0.includesDetails = false
            }
            let progress = try report.firstRun.progress
            #expect(progress.fetched == 450)
            #expect(progress.skipped + progress[.inserted] == 450 && progress.skipped > 0)
            #expect(try await rig.value("select count(*) from products where stock_quantity is null") == "0")
            try await rig.sync(["products"])
            #expect(try await rig.value("select count(*) from products") == "450")
        }
    }

    @Test("From a given instant, only what was modified since is looked at")
    func modifiedSince() async throws {
        try await Rig.with(.sqlite) { rig in
            let control = rig.control
            try await rig.sync { $0.includesDetails = false }
            control.advanceClock(by: .seconds(86_400))
            let since = Int64(control.now.timeIntervalSince1970) * 1_000_000
            for module in [SimulatorModule.items, .invoices] {
                try control.edit(module, id: control.id(module, at: 0), ["notes": "x"])
            }
            let report = try await rig.sync(["products", "invoices"]) {
                $0.modifiedSince = since
                $0.includesDetails = false
            }
            #expect(report.runs.map { $0.progress.fetched - $0.progress.skipped } == [1, 1])
        }
    }

    @Test("Filters bind the details too; what they leave out stays due", arguments: Engine.allCases)
    func filteredDetails(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let control = rig.control
            try await rig.sync { $0.includesDetails = false }
            for index in 0..<3 { try control.deactivate(.contacts, id: control.id(.contacts, at: index)) }
            control.advanceClock(by: .seconds(3_600))
            let since = Int64(control.now.timeIntervalSince1970) * 1_000_000
            for index in 0..<2 { try control.edit(.invoices, at: index, ["reference_number": "new"]) }

            let stocked = try await rig.sync(["products"]) { $0.isWithStockOnly = true }
            let details = Int(try #require(try await rig.value("select count(detail_synced_at) from products"))) ?? 0
            let inStock = try await rig.value(
                "select count(detail_synced_at) from products where cast(stock_quantity as real) > 0")
            #expect(try details > 0 && "\(details)" == inStock && stocked.firstRun.progress.details == details)
            #expect(try stocked.firstRun.state == .completed)

            try await rig.sync(["customers", "vendors"]) { $0.isActiveOnly = true }
            for table in ["customers", "vendors"] {
                #expect(
                    try await rig.value("select count(*) from \(table) where detail_synced_at is null and is_active")
                        == (table == "customers" ? Self.stillActive(rig, "customer") : Self.stillActive(rig, "vendor")))
            }
            let recent = try await rig.sync(["invoices"]) { $0.modifiedSince = since }
            #expect(try recent.firstRun.progress.details == 2)
            #expect(try await rig.value("select count(detail_synced_at) from invoices") == "2")

            #expect(try await rig.sync().detailsOutstanding == 0)
            try await CopyTests.expectEqual(rig)
        }
    }

    /// How many contacts the mirror still takes for active that no longer are.
    private static func stillActive(_ rig: Rig, _ type: String) throws -> String {
        let count = try (0..<3).filter {
            try rig.record(.contacts, rig.control.id(.contacts, at: $0))["contact_type"] as? String == type
        }.count
        return "\(count)"
    }

    @Test("Without images, references to them are not written, and not taken away")
    func images() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["products"]) { $0.includesImages = false }
            #expect(try await rig.value("select count(*) from products where image_document_id is not null") == "0")
            try await rig.sync(["products"]) { $0.mode = .full }
            let count = try await rig.value("select count(*) from products where image_document_id <> ''")
            #expect(count != "0")
            try await rig.sync(["products"]) {
                $0.includesImages = false
                $0.mode = .full
            }
            #expect(try await rig.value("select count(*) from products where image_document_id <> ''") == count)
        }
    }

    @Test("A dry run compares, counts, and writes neither rows nor runs nor cursors", arguments: Engine.allCases)
    func dryRun(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let first = try await rig.sync { $0.isDryRun = true }
            #expect(first.runs.first?.progress[.inserted] == 450)
            for table in ["products", "customers", "sync_runs", "sync_cursors", "sync_changes"] {
                #expect(try await rig.value("select count(*) from \(table)") == "0", "\(table)")
            }
            try await rig.sync()
            rig.control.advanceClock(by: .seconds(60))
            try rig.control.edit(.items, id: rig.control.id(.items, at: 9), ["name": "Changed"])
            let before = try await Self.dump(rig)
            let second = try await rig.sync(["products"]) { $0.isDryRun = true }
            #expect(try second.firstRun.progress[.updated] == 1)
            let shown = try #require(second.rehearsed.first)
            #expect(second.rehearsed.count == 1 && shown.entity == "products" && shown.change.outcome == .updated)
            #expect(shown.change.zohoID == rig.control.id(.items, at: 9))
            #expect(shown.change.fields.contains("name"))
            #expect(first.rehearsed.count(where: { $0.entity == "products" }) == 20)
            #expect(try await Self.dump(rig) == before)
            #expect(try await rig.value("select count(*) from products where name = 'Changed'") == "0")
        }
    }

    /// Every row of every table but those that count calls and hold the access token.
    private static func dump(_ rig: Rig) async throws -> [String: [[String?]]] {
        var tables: [String: [[String?]]] = [:]
        for table in Mirror.tableNames where table != "sync_budget" && table != "sync_tokens" {
            tables[table] = try await rig.rows("select * from \(table) order by 1")
        }
        return tables
    }

    @Test("Small batches commit more often and end the same", arguments: Engine.allCases)
    func batchSize(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            #expect(try await rig.sync { $0.batchSize = 10 }.isSuccess)
            try await CopyTests.expectEqual(rig)
        }
    }

    @Test("A module that is switched off is left out of everything, and an error where it was asked for")
    func disabledModule() async throws {
        try await Rig.with(.sqlite) {
            $0.disabledModules = [.salesorders]
        } _: { rig in
            let report = try await rig.sync()
            #expect(report.isSuccess)
            let run = try #require(report.runs.first { $0.entity == "sales_orders" })
            #expect(run.lastError?.contains("salesorders") == true)
            let named = try await rig.sync(["sales_orders"])
            #expect(!named.isSuccess)
        }
    }
}
