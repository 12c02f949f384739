import Catalog
import Database
import Foundation
import Logging
import Mirror
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@testable import Sync

@Suite("Details")
struct DetailTests {
    private static var unlimited: BudgetLimits {
        var limits = BudgetLimits()
        limits.callsPerMinute = nil
        limits.detailCallsPerMinute = nil
        limits.reserve = 5
        return limits
    }

    private static func processor(_ rig: Rig, _ client: ZohoBooksClient) -> DeliveryProcessor {
        DeliveryProcessor(
            mirror: rig.mirror, client: client, process: "test:1", random: { 0 },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private static func mark(_ rig: Rig, _ ids: [String], of entity: String) async throws {
        _ = try await rig.mirror.store(
            ids.map {
                NewDelivery(
                    entity: entity, content: .readable(.mark, zohoID: $0, record: nil), receivedAt: rig.mirror.now(),
                    requestID: nil)
            })
        rig.control.advanceClock(by: .seconds(4))
    }

    /// Calls for single price lists.
    private static func pricelistCalls(_ rig: Rig) -> Int {
        rig.control.statistics.callsByPath["/pricebooks/{id}"] ?? 0
    }

    // MARK: - No endpoint

    @Test(
        "Where the API gives no complete price lists, one call finds out, each day; the sync is complete and says so",
        arguments: Engine.allCases, [[], ["pricelists"]])
    func missingEndpoint(engine: Engine, named: [String]) async throws {
        try await Rig.with(engine) {
            $0.undocumentedEndpoints.remove(.pricebookDetail)
        } _: { rig in
            func sync() async throws -> (report: SyncReport, calls: Int) {
                let before = Self.pricelistCalls(rig)
                let report = try await rig.sync(named)
                return (report, Self.pricelistCalls(rig) - before)
            }
            let first = try await sync()
            #expect(first.calls == 1)
            #expect(first.report.isSuccess && first.report.detailsOutstanding == 0)
            let run = try #require(first.report.runs.first { $0.entity == "pricelists" })
            #expect(run.state == .completed)
            let said = try #require(run.lastError)
            #expect(said.contains("product_prices and is_default") && said.contains("Lists are still read"))
            #expect(try await rig.value("select count(*) from pricelists") == "4")
            #expect(try await rig.mirror.workState().absent.isEmpty)

            let second = try await sync()
            #expect(second.calls == 0 && second.report.isSuccess && second.report.detailsOutstanding == 0)
            rig.control.advanceClock(by: .seconds(86_401))
            #expect(try await sync().calls == 1)
        }
    }

    @Test("An endpoint that comes into being is used from the next day on")
    func endpointComesBack() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["pricelists"]) { $0.includesDetails = false }
            try await rig.mirror.noteDetailsRefused(of: "pricelists", at: rig.mirror.now())
            #expect(try await rig.sync(["pricelists"]).runs[0].progress.details == 0)
            rig.control.advanceClock(by: .seconds(86_401))
            #expect(try await rig.sync(["pricelists"]).runs[0].progress.details == 4)
            #expect(try await rig.mirror.detailAccess(of: "pricelists").refusedAt == nil)
        }
    }

    @Test("A comparison does not miss details that nobody can have")
    func comparisonWithoutEndpoint() async throws {
        try await Rig.with(.sqlite) {
            $0.undocumentedEndpoints.remove(.pricebookDetail)
        } _: { rig in
            try await rig.sync()
            let before = Self.pricelistCalls(rig)
            let report = try await rig.compare(["pricelists"])
            #expect(report.isEqual)
            #expect(try report["pricelists"].note?.contains("product_prices") == true)
            #expect(Self.pricelistCalls(rig) == before)
        }
    }

    @Test("A mark of a record that Zoho does not give by itself is left to the next list", arguments: Engine.allCases)
    func markWithoutEndpoint(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.undocumentedEndpoints.remove(.pricebookDetail)
        } _: { rig in
            try await rig.withClient { client in
                let worker = Self.processor(rig, client)
                for index in 0..<2 {
                    try await Self.mark(rig, [rig.control.id(.pricebooks, at: index)], of: "pricelists")
                    try await worker.drainOnce()
                }
            }
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
            #expect(try await rig.value("select count(*) from sync_dead_letters") == "0")
            #expect(Self.pricelistCalls(rig) == 1)
        }
    }

    // MARK: - Groups

    @Test(
        "Where Zoho takes fewer items at once, the number that it takes is found once and remembered",
        arguments: Engine.allCases, [50, 7])
    func smallGroups(engine: Engine, limit: Int) async throws {
        try await Rig.with(engine) {
            $0.itemDetailsLimit = limit
        } _: { rig in
            #expect(try await rig.sync(["products"]).isSuccess)
            #expect(try await rig.value("select count(*) from products where detail_synced_at is null") == "0")
            let size = try #require(try await rig.mirror.detailAccess(of: "products").groupSize)
            #expect(size <= limit && size > limit / 2)

            let refused = rig.control.statistics.answersByStatus[400] ?? 0
            #expect(refused <= 4)
            try await rig.tamper("update products set detail_due = \(engine == .sqlite ? "1" : "true")")
            let calls = try await rig.calls {
                let report = try await rig.sync(["products"])
                #expect(report.isSuccess)
            }
            #expect(calls == 3 + (450 + size - 1) / size)
            #expect(rig.control.statistics.answersByStatus[400] ?? 0 == refused)

            let report = try await rig.compare(["products"]) { $0.sample = 50 }
            #expect(report.isEqual && report.calls <= report.cost.ceiling)
            #expect(report.cost.samples == (50 + size - 1) / size)
            #expect(rig.control.statistics.answersByStatus[400] ?? 0 == refused)
        }
    }

    @Test("A comparison that has yet to find out how many items Zoho takes keeps to what it announced")
    func comparisonOfSmallGroups() async throws {
        try await Rig.with(.sqlite) {
            $0.itemDetailsLimit = 20
        } _: { rig in
            try await rig.sync(["products"]) { $0.includesDetails = false }
            let deep = try await rig.compare(["products"]) { $0.isDeep = true }
            #expect(deep.calls <= deep.cost.ceiling)
            #expect(try await rig.mirror.detailAccess(of: "products").groupSize ?? 0 > 10)
        }
    }

    @Test("A worker that reads marked items finds the number too")
    func workerOfSmallGroups() async throws {
        try await Rig.with(.sqlite) {
            $0.itemDetailsLimit = 20
        } _: { rig in
            try await rig.withClient { client in
                try await Self.mark(rig, Array(rig.control.ids(.items).prefix(60)), of: "products")
                try await Self.processor(rig, client).drainOnce()
            }
            #expect(try await rig.value("select count(*) from products where detail_synced_at is not null") == "60")
            #expect(try await rig.value("select count(*) from sync_inbox") == "0")
            #expect(try await rig.mirror.detailAccess(of: "products").groupSize == 15)
        }
    }

    @Test(
        "One id that Zoho never gave costs its group nothing, and its row is taken for gone", arguments: Engine.allCases
    )
    func badID(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"]) { $0.includesDetails = false }
            let id = rig.control.id(.items, at: 30)
            try await rig.tamper("update products set zoho_item_id = 'x' where zoho_item_id = '\(id)'")
            let report = try await rig.sync(["products"])
            #expect(report.isSuccess && report.detailsOutstanding == 0)
            #expect(try await rig.value("select count(*) from products where detail_synced_at is null") == "1")
            #expect(try await rig.value("select zoho_item_id from products where deleted_at is not null") == "x")
            #expect(try await rig.mirror.detailAccess(of: "products").groupSize == nil)
        }
    }

    // MARK: - Refusals of single records

    @Test("Where Zoho knows no path to one record, it gives the others all the same", arguments: Engine.allCases)
    func onePathUnknown(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["customers"])
            let id = rig.control.id(.contacts, at: 3)
            let truth = engine == .sqlite ? "1" : "true"
            try await rig.tamper("update customers set detail_due = \(truth)")
            rig.control.script(.unknownPath, next: 1, prefix: "/contacts/\(id)")
            let report = try await rig.report(["customers"])
            #expect(!report.isSuccess && report.detailsOutstanding == 1)
            #expect(try await rig.mirror.detailAccess(of: "customers").refusedAt == nil)
            #expect(try await rig.sync(["customers"]).detailsOutstanding == 0)

            // A mark of it is tried again, and the others' marks are not given up.
            rig.control.script(.unknownPath, next: 1, prefix: "/contacts/\(id)")
            let other = rig.control.id(.contacts, at: 4)
            for id in [id, other] { try rig.control.edit(.contacts, id: id, ["notes": .string("told")]) }
            try await rig.withClient { client in
                try await Self.mark(rig, [id, other], of: "customers")
                try await Self.processor(rig, client).drainOnce()
            }
            #expect(
                try await rig.value("select zoho_contact_id from customers where notes = 'told'") == other)
            #expect(try await rig.value("select zoho_id from sync_inbox where attempts = 1") == id)
            #expect(try await rig.value("select count(*) from sync_dead_letters") == "0")
        }
    }

    @Test("An odd answer for the first vendor does not take vendors for without details", arguments: Engine.allCases)
    func moduleProven(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["customers"])
            try await rig.sync(["vendors"]) { $0.includesDetails = false }
            let newest = try #require(
                try await rig.value(
                    "select zoho_contact_id from vendors order by zoho_modified_at desc, id desc limit 1"))
            rig.control.script(.unknownPath, next: 1, prefix: "/contacts/\(newest)")
            let report = try await rig.report(["vendors"])
            #expect(!report.isSuccess && report.detailsOutstanding == 1)
            #expect(try await rig.mirror.detailAccess(of: "vendors").refusedAt == nil)
            #expect(try await rig.sync(["vendors"]).detailsOutstanding == 0)
        }
    }

    @Test("A detail that could not be applied is read again only when its record changes or a day has passed")
    func refusedOnce() async throws {
        try await Rig.with(.postgres) { rig in
            try await rig.sync(["invoices"]) { $0.includesDetails = false }
            try await rig.tamper(
                "alter table invoice_line_items add constraint positive check (quantity is null or quantity < 0)")
            #expect(try await rig.report(["invoices"]).runs[0].progress[.failed] == 30)
            let again = try await rig.sync(["invoices"])
            #expect(again.runs[0].progress.calls == 1 && again.detailsOutstanding == 0)

            try rig.control.edit(.invoices, id: rig.control.id(.invoices, at: 3), ["notes": .string("new")])
            #expect(try await rig.report(["invoices"]).runs[0].progress.calls == 2)
            rig.control.advanceClock(by: .seconds(86_401))
            #expect(try await rig.report(["invoices"]).runs[0].progress[.failed] == 30)
            // What lies in the letters is what Zoho said last.
            try await rig.tamper("alter table invoice_line_items drop constraint positive")
            for letter in try await rig.mirror.deadLetters() { _ = try await rig.mirror.retry(letter) }
            #expect(try await rig.value("select count(*) from invoices where detail_due") == "0")
        }
    }

    @Test("An item that cannot be read by itself does not cost its group", arguments: Engine.allCases)
    func oneOfAGroup(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"]) { $0.includesDetails = false }
            let (gone, id) = (rig.control.id(.items, at: 30), rig.control.id(.items, at: 31))
            for id in [gone, id] { try rig.control.delete(.items, id: id) }
            rig.control.script(.internalError, next: 5, prefix: "/items/\(id)")
            let others = (40..<50).map { rig.control.id(.items, at: $0) }
            try await rig.withClient { client in
                try await Self.mark(rig, [gone, id] + others, of: "products")
                try await Self.processor(rig, client).drainOnce()
            }
            #expect(try await rig.value("select count(*) from products where detail_synced_at is not null") == "10")
            #expect(try await rig.value("select zoho_item_id from products where deleted_at is not null") == gone)
            #expect(try await rig.rows("select zoho_id, attempts from sync_inbox") == [[id, "1"]])
        }
    }

    @Test("How many items Zoho takes at once is asked again after a day", arguments: Engine.allCases)
    func groupSizeIsForgotten(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.mirror.noteDetailGroup(of: 2, for: "products")
            #expect(try await rig.mirror.detailAccess(of: "products").groupSize == 2)
            rig.control.advanceClock(by: .seconds(86_401))
            #expect(try await rig.mirror.detailAccess(of: "products").groupSize == nil)
        }
    }

    // MARK: - The day's calls

    @Test("A sync that begins when the day's calls are used up tells what is outstanding, and so does a rehearsal")
    func outstandingWithoutCalls() async throws {
        try await Rig.with(.sqlite, limits: Self.unlimited) {
            $0.limits.callsPerDay = 60
        } _: { rig in
            try await rig.sync()
            try await rig.withClient { client in
                let request = ListRequest(path: "items", listKey: "items")
                while (try? await client.page(1, of: request)) != nil {}
            }
            let lacking = try await rig.mirror.outstandingDetails(of: #require(Catalog.entity(named: "customers")))
            #expect(lacking > 0)
            for isDryRun in [false, true] {
                let report = try await rig.sync { $0.isDryRun = isDryRun }
                #expect(report.quotaReturnsAt != nil && report.detailsOutstanding > lacking)
            }
            #expect(try await rig.sync(["customers"]).detailsOutstanding == lacking)
        }
    }

    @Test(
        "The day's calls are shared by the entities' details, and some are kept for lists", arguments: Engine.allCases)
    func shared(engine: Engine) async throws {
        try await Rig.with(engine, limits: Self.unlimited) {
            $0.limits.callsPerDay = 240
            // Noon by the organisation's clock.
            $0.now = { Date(timeIntervalSince1970: 1_772_535_600) }
        } _: { rig in
            let report = try await rig.sync()
            #expect(report.isSuccess && report.keepsCalls && report.quotaReturnsAt != nil)
            #expect(report.runs.contains { $0.state == .partial } && report.detailsOutstanding > 0)
            for table in ["customers", "vendors", "pricelists", "invoices", "bills", "customer_payments"] {
                #expect(
                    try await rig.value("select count(*) from \(table) where detail_synced_at is not null") != "0",
                    "\(table)")
            }
            // A third of the plan is left, and lists take it when they come.
            let left = 240 - rig.control.statistics.calls
            #expect(left >= 85 && left < 95, "\(left)")
            let stock = try await rig.calls {
                let report = try await rig.sync(["products"])
                #expect(report.runs[0].state == .completed)
            }
            #expect(stock == 3)
        }
    }

    @Test("Where nothing is outstanding, calls that are kept for lists make no sync partial")
    func nothingOutstanding() async throws {
        try await Rig.with(.sqlite, limits: Self.unlimited) {
            $0.limits.callsPerDay = 240
            $0.now = { Date(timeIntervalSince1970: 1_772_535_600) }
        } _: { rig in
            try await rig.sync(["invoices"])
            for _ in 0..<150 { try await rig.sync(["bills"]) { $0.includesDetails = false } }
            let report = try await rig.sync(["invoices"])
            #expect(report.runs.map(\.state) == [.completed] && report.quotaReturnsAt == nil)
        }
    }

    @Test("Kept are a sweep for each hour that is left, and no more than a third of the plan")
    func kept() {
        #expect(KeptCalls.forLists(sweep: 14, seconds: 86_400, plan: 10_000) == 336)
        #expect(KeptCalls.forLists(sweep: 14, seconds: 3_601, plan: 10_000) == 28)
        #expect(KeptCalls.forLists(sweep: 14, seconds: 0, plan: 10_000) == 0)
        #expect(KeptCalls.forLists(sweep: 14, seconds: -5, plan: nil) == 0)
        #expect(KeptCalls.forLists(sweep: 26, seconds: 86_400, plan: 1_000) == 333)
        #expect(KeptCalls.forLists(sweep: 26, seconds: .infinity, plan: nil) == 624)
    }

    // MARK: - Interruption and deletion

    @Test("A sync that is stopped has completed the entities that lack nothing")
    func stoppedWhereNothingIsLeft() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["products"])
            let last = try await rig.interrupted(["invoices"], after: 3, in: .details)
            #expect(last.runs.map(\.state) == [.completed])
            #expect(try await rig.value("select count(*) from invoices where detail_synced_at is null") == "0")

            let report = try await rig.interrupted(["products", "bills", "customers"], after: 2, in: .details)
            let runs = Dictionary(uniqueKeysWithValues: report.runs.map { ($0.entity, $0) })
            #expect(runs["products"]?.state == .completed && runs["products"]?.lastError == nil)
            #expect(runs["customers"]?.state == .interrupted)
        }
    }

    @Test(
        "Many that are gone are asked for once a day, and a person as long as it is undecided",
        arguments: Engine.allCases)
    func undecided(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.counts[.contacts] = 60
        } _: { rig in
            try await rig.sync { $0.includesDetails = false }
            for id in rig.control.ids(.contacts).prefix(20) { try rig.control.delete(.contacts, id: id) }
            func calls() async throws -> Int {
                try await rig.calls {
                    let report = try await rig.sync(["customers"])
                    #expect(!report.isSuccess && report.detailsOutstanding == 0)
                    #expect(report.runs[0].lastError?.contains("verify customers --repair --allow-mass") == true)
                }
            }
            let first = try await calls()
            #expect(first > 40)
            #expect(try await rig.value("select count(*) from customers where deleted_at is not null") == "0")
            let again = try await calls()
            #expect(again <= 2)
            rig.control.advanceClock(by: .seconds(86_401))
            #expect(try await calls() > 10)

            _ = try await rig.compare(["customers"]) {
                $0.repairs = true
                $0.allowsMassDeletion = true
            }
            #expect(try await rig.sync(["customers"]).isSuccess)
        }
    }

    @Test("Records that a list shows and Zoho denies are asked for once a day", arguments: Engine.allCases)
    func listedAndDenied(engine: Engine) async throws {
        let organisation = Mutex<SimulatorControl?>(nil)
        try await Rig.with(engine) {
            $0.onPage = { module, _ in
                guard let control = organisation.withLock({ $0 }), module == .pricebooks else { return }
                for id in control.ids(.pricebooks) { try? control.delete(.pricebooks, id: id) }
            }
        } _: { rig in
            let ids = rig.control.ids(.pricebooks)
            organisation.withLock { $0 = rig.control }
            func sync() async throws -> Int {
                for id in ids { try? rig.control.restore(.pricebooks, id: id) }
                return try await rig.calls { try await rig.sync(["pricelists"]) }
            }
            let first = try await sync()
            #expect(first == 5)
            for _ in 0..<3 {
                rig.control.advanceClock(by: .seconds(900))
                #expect(try await sync() == 1)
            }
            rig.control.advanceClock(by: .seconds(86_401))
            #expect(try await sync() == 5)
            #expect(try await rig.value("select count(*) from pricelists where deleted_at is null") == "4")
        }
    }

    @Test("What was too much to be believed is marked when it no longer is", arguments: Engine.allCases)
    func believed(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.counts[.items] = 30
        } _: { rig in
            try await rig.sync(["products"]) { $0.includesDetails = false }
            for id in rig.control.ids(.items).prefix(4) { try rig.control.delete(.items, id: id) }
            #expect(try await !rig.report(["products"]).isSuccess)
            for index in 0..<20 { _ = rig.control.create(.items, ["name": .string("new \(index)")]) }
            let calls = try await rig.calls { try await rig.sync(["products"]) }
            #expect(calls == 2, "the list, and one call for the new ones")
            #expect(try await rig.value("select count(*) from products where deleted_at is not null") == "4")
        }
    }
}
