import Catalog
import Database
import Foundation
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@Suite("Interruptions")
struct InterruptionTests {
    @Test(
        "A cancelled sync stops at a commit, and the next goes on from its page", arguments: Engine.allCases, [1, 3, 6])
    func cancelled(engine: Engine, page: Int) async throws {
        try await Rig.with(engine) {
            $0.counts[.items] = 2_000
        } _: { rig in
            let pages = Mutex(0)
            let stopped = AsyncStream<Void>.makeStream()
            let sync = Task {
                defer { stopped.continuation.finish() }
                return try await rig.sync(
                    ["products"], inFlight: 3,
                    onEvent: { event in
                        guard event.phase == .list,
                            pages.withLock({ count in
                                count += 1
                                return count == page
                            })
                        else { return }
                        stopped.continuation.yield()
                        // The task is cancelled while this page is reported.
                        while !Task.isCancelled { await Task.yield() }
                    })
            }
            for await _ in stopped.stream { break }
            sync.cancel()
            await #expect(throws: CancellationError.self) { try await sync.value }
            let run = try #require(try await rig.mirror.runs().first)
            #expect(run.state == .interrupted)
            let rows = Int(try #require(try await rig.value("select count(*) from products"))) ?? 0
            #expect(rows >= page * 200 && rows < 2_000)
            #expect(run.progress.fetched == rows && run.progress[.inserted] == rows)

            let calls = try await rig.calls {
                let report = try await rig.sync(["products"]) { $0.includesDetails = false }
                #expect(report.isSuccess)
            }
            let counts = try await rig.mirror.runs().map(\.progress.pages)
            #expect(calls <= 10 - page + 1, "pages \(counts)")
            #expect(try await rig.value("select count(*) from products") == "2000")
        }
    }

    @Test(
        "A sync that is cancelled while it reads details keeps those that it read, and the next reads the others",
        arguments: Engine.allCases)
    func cancelledDetails(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.counts[.invoices] = 80
        } _: { rig in
            let report = try await rig.interrupted(["invoices"], after: 3, in: .details)
            #expect(report.failure is CancellationError)
            #expect(report.runs.map(\.state) == [.interrupted])
            let read = Int(try #require(try await rig.value("select count(detail_synced_at) from invoices"))) ?? 0
            #expect(try read >= 50 && read < 80 && report.firstRun.progress.details == read)
            let next = try await rig.sync(["invoices"])
            #expect(try next.firstRun.progress.details == 80 - read)
            try await CopyTests.expectEqual(rig, of: ["invoices"])
        }
    }

    @Test("Where the network dies in the details, the report says of each entity what became of it")
    func networkDies() async throws {
        try await Rig.with(.sqlite) { rig in
            rig.control.script(.connectionReset, next: 10_000, prefix: "/invoices/")
            let report = try await rig.report()
            #expect((report.failure as? ZohoBooksError)?.kind == .network)
            #expect(!report.isSuccess && report.notBegun.isEmpty && report.runs.count == 9)
            let runs = Dictionary(uniqueKeysWithValues: report.runs.map { ($0.entity, $0) })
            #expect(runs["products"]?.state == .completed)
            // Entities take turns.
            #expect(runs["customers"]?.state == .interrupted)
            #expect(runs["invoices"]?.state == .failed)
            #expect(runs["customer_payments"]?.state == .interrupted)
            #expect(runs["customer_payments"]?.lastError?.contains("cannot be reached") == true)
            #expect(try await rig.mirror.runs().allSatisfy { $0.state != .partial && $0.state != .running })
        }
    }

    @Test("A module whose probe fails has a failed run in the report")
    func failingProbe() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync { $0.includesDetails = false }
            rig.control.script(.internalError, next: 100, prefix: "/customerpayments")
            let report = try await rig.report { $0.includesDetails = false }
            #expect(!report.isSuccess && report.failure == nil)
            #expect(report.runs.count + report.notBegun.count == 9)
            let run = try #require(report.runs.first { $0.entity == "customer_payments" })
            #expect(run.state == .failed && run.lastError != nil && run.progress.calls > 0)
            #expect(try await rig.mirror.runs(entity: "customer_payments").first?.state == .failed)
        }
    }

    @Test("Every entity that was asked for is in the report, wherever the day's calls end", arguments: [1, 5, 9, 10])
    func quotaAnywhere(calls: Int) async throws {
        var limits = BudgetLimits()
        limits.callsPerMinute = nil
        limits.detailCallsPerMinute = nil
        limits.reserve = 0
        try await Rig.with(.sqlite, limits: limits) {
            $0.limits.callsPerDay = 30
        } _: { rig in
            try await rig.sync { $0.includesDetails = false }
            rig.control.advanceClock(by: .seconds(86_400))
            for _ in calls..<30 { try await rig.sync(["bills"]) { $0.includesDetails = false } }
            let report = try await rig.report { $0.includesDetails = false }
            #expect(Set(report.runs.map(\.entity) + report.notBegun).count == 9)
            #expect(report.quotaReturnsAt != nil)
        }
    }

    @Test("A process that vanished leaves a run and a lease, which the next one takes over")
    func vanished() async throws {
        try await Rig.with(.sqlite) { rig in
            let names = ["products"]
            try await rig.mirror.acquireLease("sync products", holder: "dead", duration: 60)
            _ = try await rig.mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "dead")
            await #expect(throws: MirrorError.self) { try await rig.sync(names) }
            rig.control.advanceClock(by: .seconds(61))
            #expect(try await rig.sync(names).isSuccess)
            #expect(try await rig.mirror.runs().map(\.state) == [.completed, .interrupted])
        }
    }

    @Test("A second sync of an entity is refused while one runs, and says who runs it", arguments: Engine.allCases)
    func second(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            let began = AsyncStream<Void>.makeStream()
            let first = Task {
                defer { began.continuation.finish() }
                return try await rig.sync(
                    ["products"], process: "first",
                    onEvent: { event in
                        guard event.phase == .list else { return }
                        began.continuation.yield()
                        while !Task.isCancelled { await Task.yield() }
                    })
            }
            for await _ in began.stream { break }
            let error = await #expect(throws: MirrorError.self) { try await rig.sync(["products"], process: "second") }
            #expect(error?.description.contains("first") == true)
            let other = try await rig.sync(["invoices"], process: "second")
            #expect(other.isSuccess)
            first.cancel()
            _ = await first.result
            let after = try await rig.sync(["products"], process: "second")
            #expect(after.isSuccess)
        }
    }

    @Test(
        "The day's calls end in the middle: partial, what is outstanding, when they return; then it goes on",
        arguments: Engine.allCases)
    func quota(engine: Engine) async throws {
        var limits = BudgetLimits()
        limits.callsPerMinute = nil
        limits.detailCallsPerMinute = nil
        limits.reserve = 5
        try await Rig.with(engine, limits: limits) {
            $0.limits.callsPerDay = 60
        } _: { rig in
            let report = try await rig.sync()
            #expect(report.isSuccess)
            #expect(report.runs.contains { $0.state == .partial })
            #expect(report.detailsOutstanding > 100)
            let returns = try #require(report.quotaReturnsAt)
            #expect(returns > rig.mirror.now())
            #expect(rig.control.statistics.answersByStatus[429] == nil)
            #expect(rig.control.statistics.calls <= 55)
            // Newest first.
            let newest = try await rig.rows(
                "select detail_synced_at is not null from customers order by zoho_modified_at desc, id desc limit 3")
            if try await rig.value("select count(*) from customers where detail_synced_at is not null") != "0" {
                #expect(newest.allSatisfy { $0[0] == "1" })
            }
            var days = 0
            var last = report
            while last.detailsOutstanding > 0, days < 20 {
                days += 1
                rig.control.advanceClock(by: .seconds(86_400))
                let outstanding = last.detailsOutstanding
                last = try await rig.sync()
                #expect(last.detailsOutstanding < outstanding)
            }
            #expect(last.detailsOutstanding == 0)
            try await CopyTests.expectEqual(rig)
        }
    }

    @Test("Asked not to call for an hour, a sync has failed and says until when; then it goes on")
    func unavailable() async throws {
        try await Rig.with(.sqlite) { rig in
            let ledger = MirrorCallLedger(rig.mirror, limits: rig.limits)
            guard case .go(let ticket) = try await ledger.reserve(.list, .background, at: rig.control.now) else {
                Issue.record("the first call may be made")
                return
            }
            var refusal = CallOutcome(status: 429, code: 0)
            refusal.retryAfter = .seconds(3_600)
            try await ledger.finish(ticket, refusal, at: rig.control.now)
            let error = try await #require(throws: ZohoBooksError.self) { try await rig.sync(["products"]) }
            #expect(error.description.contains("asked us to wait until"))
            let run = try await rig.mirror.runs(entity: "products").first
            #expect(run?.state == .failed && run?.lastError == error.description)
            rig.control.advanceClock(by: .seconds(3_700))
            #expect(try await rig.sync(["products"]).isSuccess)
        }
    }

    @Test("Zoho's limits are kept, not run into", arguments: [5, 10])
    func limits(inFlight: Int) async throws {
        var limits = BudgetLimits()
        limits.inFlight = inFlight
        try await Rig.with(.sqlite, limits: limits) { configuration in
            configuration.limits = .paid()
            configuration.limits.inFlight = inFlight
            configuration.limits.detailCallsPerMinute = 54
            configuration.counts[.contacts] = 60
        } _: { rig in
            #expect(try await rig.sync().isSuccess)
            #expect(rig.control.statistics.answersByStatus[429] == nil)
            #expect(rig.control.statistics.largestInFlight <= inFlight)
            try await CopyTests.expectEqual(rig)
        }
    }

    @Test("Throttled all the same, a sync waits as it is told and ends whole")
    func throttled() async throws {
        // Somebody else uses the organisation's calls: ours are counted as if they were alone.
        try await Rig.with(.sqlite) {
            $0.limits.callsPerMinute = 20
        } _: { rig in
            let report = try await rig.sync(["products", "invoices", "pricelists"])
            #expect(report.isSuccess)
            #expect(rig.control.statistics.answersByStatus[429] ?? 0 > 0)
            #expect(try await rig.value("select count(*) from invoices where detail_synced_at is null") == "0")
        }
    }

    @Test(
        "Records that cannot be applied are dead letters; the run says so and the rest is there",
        arguments: Engine.allCases)
    func poison(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.poison = [.unreadableTime: 2, .zeroCharacter: 1, .textForNumber: 2, .displayDate: 1]
        } _: { rig in
            let report = try await rig.sync()
            let letters = try await rig.mirror.deadLetters()
            #expect(!letters.isEmpty)
            #expect(report.isSuccess == false)
            let products = try #require(report.runs.first { $0.entity == "products" })
            let buried = Set(letters.filter { $0.entity == "products" }.compactMap(\.zohoID))
            #expect(products.progress[.failed] >= buried.count && !buried.isEmpty)
            #expect(try await rig.value("select count(*) from products") == "\(450 - buried.count)")
            let faults = report.runs.reduce(0) { $0 + $1.progress.faults.count }
            #expect(faults + letters.count >= 5)
        }
    }

    @Test(
        "Half a character and a number without end cost their own record, or only their own value",
        arguments: Engine.allCases)
    func unspeakable(engine: Engine) async throws {
        try await Rig.with(engine) {
            $0.poison = [.loneSurrogate: 2, .hugeNumber: 2]
        } _: { rig in
            let report = try await rig.sync()
            let letters = try await rig.mirror.deadLetters()
            #expect(letters.filter { $0.entity == "products" }.count == 2)
            #expect(letters.allSatisfy { $0.entity == "products" && $0.reason.contains("unit_price") })
            #expect(letters.allSatisfy { $0.reason.contains("too many digits") })
            #expect(try await rig.value("select count(*) from products") == "448")
            // jsonb cannot hold the record as it came; the row is written without the value on both engines.
            let rows = try await rig.value(
                "select (select count(*) from customers) + (select count(*) from vendors)")
            #expect(rows == "250")
            let faults = report.runs.compactMap { $0.progress.faults.fields["company_name"]?.count }
            #expect(faults.reduce(0, +) >= 2)
            #expect(report.isSuccess == false)
        }
    }

    @Test("A record that is gone when its detail is read is marked deleted")
    func goneMeanwhile() async throws {
        try await Rig.with(.sqlite) { rig in
            let control = rig.control
            try await rig.sync { $0.includesDetails = false }
            let id = control.id(.invoices, at: 1)
            try control.delete(.invoices, id: id)
            try await rig.sync()
            #expect(
                try await rig.value("select deleted_at is not null from invoices where zoho_invoice_id = '\(id)'")
                    == "1")
            try await CopyTests.expectEqual(rig)
        }
    }

    @Test("A full disk stops the sync with a sentence; with space again the next goes on")
    func fullDisk() async throws {
        try await Rig.with(.sqlite) {
            $0.counts[.items] = 3_000
        } _: { rig in
            let pages = try #require(Int(try await rig.value("pragma page_count") ?? ""))
            try await rig.mirror.database.write { try $0.script("pragma max_page_count = \(pages + 800)") }
            let error = await #expect(throws: DatabaseError.self) { try await rig.sync(["products"]) }
            #expect(error?.kind == .exhausted)
            #expect(error?.description.contains("free space") == true)
            let rows = Int(try await rig.value("select count(*) from products") ?? "") ?? 0
            #expect(rows > 0 && rows < 3_000 && rows % 200 == 0)
            let resumed = try await rig.mirror.cursor(of: "products").resumePage ?? 0
            #expect(resumed <= rows / 200 + 1)
            try await rig.mirror.database.write { try $0.script("pragma max_page_count = 1000000") }
            let next = try await rig.sync(["products"])
            #expect(next.isSuccess)
            #expect(try await rig.value("select count(*) from products") == "3000")
            #expect(try await rig.value("select count(*) from sync_dead_letters") == "0")
        }
    }

    @Test("A sync whose runs cannot be recorded is no success")
    func unrecordedBeginning() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.tamper(
                """
                create trigger refuse before insert on sync_runs when new.entity = 'products'
                begin select raise(abort, 'refused'); end
                """)
            for entities in [["products"], ["products", "invoices"]] {
                let report = try await rig.report(entities)
                #expect(!report.isSuccess)
                #expect("\(report.failure.map { "\($0)" } ?? "")".contains("refused"))
            }
        }
    }

    @Test("A table that takes nothing fails its own entity, and the others are synced")
    func brokenTable() async throws {
        try await Rig.with(.postgres) { rig in
            try await rig.tamper(
                """
                create function audit() returns trigger language plpgsql as $$ begin
                    insert into missing values (new.id);
                    return new;
                end $$
                """)
            try await rig.tamper(
                "create trigger audit before insert on bills for each row execute function audit()")
            let report = try await rig.report(["invoices", "bills", "sales_orders"])
            #expect(report.failure == nil && !report.isSuccess && report.notBegun.isEmpty)
            let states = Dictionary(report.runs.map { ($0.entity, $0.state) }, uniquingKeysWith: { $1 })
            #expect(states == ["invoices": .completed, "bills": .failed, "sales_orders": .completed])
            #expect(report.runs.compactMap(\.lastError).contains { $0.contains("trigger") })
        }
    }

    @Test("A scope that the token lacks fails its own entities, and says which to ask for")
    func missingScope() async throws {
        try await Rig.with(.sqlite) {
            $0.oauth.scopes = ["ZohoBooks.settings.READ", "ZohoBooks.invoices.READ"]
        } _: { rig in
            let report = try await rig.sync()
            #expect(!report.isSuccess)
            let states = Dictionary(uniqueKeysWithValues: report.runs.map { ($0.entity, $0) })
            #expect(states["products"]?.state == .completed && states["invoices"]?.state == .completed)
            #expect(states["customers"]?.state == .failed)
            #expect(states["customers"]?.lastError?.contains("scope") == true)
            #expect(rig.control.statistics.tokenRequests < 10)
        }
    }

    @Test("A run whose end cannot be recorded is no success", arguments: Engine.allCases)
    func unrecordedEnd(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.mirror.database.write { transaction in
                try transaction.script(
                    engine == .sqlite
                        ? """
                        create trigger no_end before update on sync_runs when new.state = 'completed'
                        begin select raise(abort, 'no end'); end
                        """
                        : """
                        create function no_end() returns trigger language plpgsql as
                            $$ begin raise exception 'no end'; end $$;
                        create trigger no_end before update on sync_runs for each row when (new.state = 'completed')
                        execute function no_end()
                        """)
            }
            let report = try await rig.report(["bills"])
            #expect(!report.isSuccess)
            #expect((report.failure as? DatabaseError)?.message.contains("no end") == true)
            #expect(report.runs.map(\.state) == [.interrupted])
            #expect(report.runs.first?.lastError?.contains("could not be recorded") == true)
            #expect(try await rig.value("select state from sync_runs") == "running")
            try await rig.mirror.database.write {
                try $0.script("drop trigger no_end" + (engine == .sqlite ? "" : " on sync_runs"))
            }
            #expect(try await rig.sync(["bills"]).isSuccess)
        }
    }
}
