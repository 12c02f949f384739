import Catalog
import Database
import Foundation
import Logging
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("State beside the mirror")
struct StateTests {
    @Test(
        "Several that prepare at once wait for one another, in an empty database and in one that lacks a column",
        arguments: Engine.allCases)
    func prepareAtOnce(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            let time = ManualTime()
            let mirror = Mirror(database: database, now: { time.now }, logger: Logger(label: "test"))
            func prepareAtOnce() async throws {
                try await withThrowingTaskGroup { group in
                    for _ in 0..<4 { group.addTask { try await mirror.prepare(organizationID: testOrganisation) } }
                    try await group.waitForAll()
                }
            }
            try await prepareAtOnce()
            #expect(try await mirror.isPrepared())
            #expect(
                try await mirror.text("select count(*) from sync_migrations where name = '0001-state'") == "1")
            let once = try await mirror.text("select count(*) from sync_migrations")
            try await mirror.apply([.product(1)], at: time)
            let before = try await mirror.contents(of: "products")
            try await database.write { try $0.script("alter table products drop column brand") }
            try await prepareAtOnce()
            #expect(try await mirror.contents(of: "products") == before)
            #expect(try await mirror.text("select count(*) from sync_migrations") == once)
        }
    }

    @Test("An empty database holds no mirror", arguments: Engine.allCases)
    func unprepared(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            let mirror = Mirror(database: database, now: { 0 }, logger: Logger(label: "test"))
            let isPrepared = try await mirror.isPrepared()
            #expect(!isPrepared)
        }
    }

    @Test("A schema that a newer program has changed is refused", arguments: Engine.allCases)
    func newerSchema(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            try await mirror.database.write {
                try $0.script("insert into sync_migrations (name) values ('9999-later')")
            }
            let error = await #expect(throws: DatabaseError.self) {
                try await mirror.prepare(organizationID: testOrganisation)
            }
            #expect(error?.kind == .unusable)
            #expect(error?.description.contains("Upgrade") == true)
        }
    }

    @Test("A mirror belongs to one organisation once it holds a record", arguments: Engine.allCases)
    func otherOrganisation(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.prepare(organizationID: "1")
            try await mirror.apply([.product(1)], at: time)
            await #expect(throws: MirrorError.otherOrganisation(stored: "1", configured: "2")) {
                try await mirror.prepare(organizationID: "2")
            }
        }
    }

    @Test("What came of the schedule survives the step that has the database check it", arguments: Engine.allCases)
    func checkedSchedule(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            try await mirror.database.write {
                try $0.script(
                    """
                    alter table sync_schedule drop column state;
                    alter table sync_schedule add column state text;
                    delete from sync_migrations where name = '0009-schedule-states';
                    """)
            }
            let record = ScheduleRecord(name: "health", dueAt: 2_000_000, startedAt: 1_000_000, state: .completed)
            try await mirror.save(record)
            try await mirror.prepare(organizationID: testOrganisation)
            #expect(try await mirror.scheduleRecords() == [record])
            await #expect(throws: DatabaseError.self) {
                try await mirror.database.write { try $0.script("update sync_schedule set state = 'done'") }
            }
        }
    }

    @Test("Healing that was kept before it had a state gets the one that its words told", arguments: Engine.allCases)
    func healingStates(engine: Engine) async throws {
        let states: [(HealingRecord.State, outcome: String)] = [
            (.done, "Removed: 3 of sync_runs."), (.waiting, "It waits: products is being read."),
            (.failed, "It failed: 3 failed again."), (.question, "A person has to decide."),
            (.question, "A person has to decide. 3 records were repaired."),
        ]
        try await withMirror(engine) { mirror in
            for (state, outcome) in states {
                try await mirror.record(
                    HealingRecord(action: "prune", reason: "", state: state, outcome: outcome, changed: 0, at: 1))
            }
            let before = try await mirror.healings()
            try await mirror.database.write {
                try $0.script(
                    """
                    alter table sync_actions drop column state;
                    delete from sync_migrations where name = '0015-healing-states';
                    """)
            }
            try await mirror.prepare(organizationID: testOrganisation)
            #expect(before.count == states.count)
            #expect(try await mirror.healings() == before)
        }
    }

    @Test(
        "A column that the catalogue has gained is added to a table that lacks it, and filled from what Zoho sent",
        arguments: Engine.allCases)
    func newColumn(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let detail = [SampleRecord.product(1).with(["brand": "\"Oak & Co\"", "vendor_id": "\"346\""])]
            let listed = (2...1_100).map { SampleRecord.product($0).with(["brand": "\"brand \($0)\""]) }
            _ = try await mirror.apply(detail, .detail, at: time)
            _ = try await mirror.apply(listed, at: time)
            let before = try await mirror.contents(of: "products")
            try await mirror.database.write {
                try $0.script(
                    "alter table products drop column brand; alter table products drop column zoho_vendor_id")
            }
            try await mirror.prepare(organizationID: testOrganisation)
            #expect(try await mirror.contents(of: "products") == before)
            #expect(try await mirror.text("select zoho_vendor_id from products where zoho_item_id = '1'") == "346")
            #expect(try await mirror.apply(listed, at: time)[.unchanged] == 1_099)
        }
    }

    @Test(
        "A lease has one holder, until it is given back, runs out, or its holder is known to be dead",
        arguments: Engine.allCases)
    func leases(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.acquireLease("sync products", holder: "a", duration: 60)
            try await mirror.acquireLease("sync products", holder: "a", duration: 60)
            await #expect(throws: MirrorError.leased(name: "sync products", holder: "a", secondsLeft: 61)) {
                try await mirror.acquireLease("sync products", holder: "b", duration: 60)
            }
            try await mirror.acquireLease("sync products", holder: "b", duration: 60, isDead: { $0 == "a" })
            try await mirror.releaseLease("sync products", holder: "a")
            await #expect(throws: MirrorError.self) {
                try await mirror.acquireLease("sync products", holder: "c", duration: 60)
            }
            time.advance(by: 61)
            try await mirror.acquireLease("sync products", holder: "c", duration: 60)
            try await mirror.releaseLease("sync products", holder: "c")
            try await mirror.acquireLease("sync products", holder: "d", duration: 60)
        }
    }

    @Test(
        "A run that was taken for dead stays interrupted, and does not move the cursor, when its process ends it",
        arguments: Engine.allCases)
    func slowRun(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            var slow = try await mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "a")
            let next = try await mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "b")
            var place = try await mirror.cursor(of: "products")
            (place.resumePlan, place.resumePage) = ("full", 3)
            slow.progress.calls = 7
            try await mirror.finish(slow, .failed, error: "The network is gone.", cursor: place)
            let ended = try #require(try await mirror.run(slow.id))
            #expect(ended.state == .interrupted)
            #expect(ended.lastError == "The process ended without finishing the run.")
            #expect(ended.progress.calls == 7)
            #expect(try await mirror.cursor(of: "products").resumePage == nil)

            try await mirror.finish(next, .interrupted, cursor: place)
            #expect(try await mirror.run(next.id)?.state == .interrupted)
            #expect(try await mirror.cursor(of: "products").resumePage == 3)
        }
    }

    @Test(
        "What a run did is added up, and a run whose process died is interrupted by the next",
        arguments: Engine.allCases)
    func runs(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let first = try await mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "a")
            for _ in 0..<2 {
                try await mirror.database.write { transaction in
                    var progress = Run.Progress()
                    progress.fetched = 200
                    progress.pages = 1
                    progress.counts[.inserted] = 199
                    progress.counts[.failed] = 1
                    progress.listMilliseconds = 12
                    try transaction.add(progress, to: first.id)
                }
            }
            time.advance(by: 5)
            var second = try await mirror.beginRun(of: "products", kind: .incremental, options: "{}", holder: "b")
            second.progress.fetched = 3
            second.progress.detailsOutstanding = 9
            try await mirror.finish(second, .partial, error: "why")
            let runs = try await mirror.runs(entity: "products")
            try #require(runs.map(\.state) == [.partial, .interrupted])
            #expect(runs[1].progress.fetched == 400)
            #expect(runs[1].progress[.inserted] == 398)
            #expect(runs[1].progress[.failed] == 2)
            #expect(runs[0].progress.fetched == 3)
            #expect(runs[0].progress.detailsOutstanding == 9)
            #expect(runs[0].lastError == "why")
            #expect(runs[0].finishedAt == time.now)
            #expect(try await mirror.runs(entity: "invoices").isEmpty)
        }
    }

    @Test("The faults of a run's records are there with each commit, from whichever side", arguments: Engine.allCases)
    func fieldFaults(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let run = try await mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "a")
            @Sendable func add(_ ids: Range<Int>) async throws {
                var batch = Batch(try #require(Catalog.entity(named: "products")), origin: .run(run.id))
                for id in ids {
                    let record = SampleRecord.product(id).with(["reorder_level": "\"many\""])
                    batch.add(record.json, shape: .list, observedAt: time.now)
                }
                _ = try await mirror.apply(batch) { transaction, result in
                    var progress = Run.Progress()
                    progress.add(result)
                    try transaction.add(progress, to: run.id)
                }
            }
            try await withThrowingTaskGroup { group in
                for first in [1, 11, 21] { group.addTask { try await add(first..<first + 5) } }
                try await group.waitForAll()
            }
            // The process is killed here.
            let faults = try #require(try await mirror.run(run.id)).progress.faults
            #expect(faults.count == 15)
            #expect(faults.fields["reorder_level"]?.examples.count == 3)
            #expect(faults.fields["reorder_level"]?.examples.first?.reason == #""many" is not a decimal number"#)
            try await mirror.finish(run, .interrupted)
            #expect(try await mirror.runs().first?.progress.faults == faults)
        }
    }

    @Test("A cursor comes back as it was saved", arguments: Engine.allCases)
    func cursors(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            var cursor = Cursor(entity: "products")
            #expect(try await mirror.cursor(of: "products") == cursor)
            cursor.modifiedThrough = 1_772_452_800_000_001
            cursor.listedAt = 1_772_452_800_000_000
            cursor.listCount = 1_312
            cursor.resumePlan = "plan"
            cursor.resumePage = 4
            cursor.filterHonoured = false
            try await mirror.save(cursor)
            #expect(try await mirror.cursor(of: "products") == cursor)
        }
    }

    @Test(
        "One budget serves all processes on a mirror, and a dead one's calls give their places back",
        arguments: Engine.allCases)
    func budget(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            var limits = BudgetLimits()
            limits.callsPerMinute = 5
            limits.inFlight = 2
            let first = MirrorCallLedger(mirror, limits: limits, holder: "first")
            let second = MirrorCallLedger(mirror, limits: limits, holder: "second", isDead: { $0 == "first" })
            let now = Date(timeIntervalSince1970: 1_772_452_800)
            for _ in 0..<2 {
                guard case .go = try await first.reserve(.list, .background, at: now) else {
                    Issue.record("no leave although nothing was made")
                    return
                }
            }
            guard case .busy = try await first.reserve(.list, .background, at: now) else {
                Issue.record("three calls at once")
                return
            }
            guard case .go(let ticket) = try await second.reserve(.list, .background, at: now) else {
                Issue.record("the dead process keeps its places")
                return
            }
            try await second.finish(ticket, CallOutcome(status: 200, code: 0), at: now)
            #expect(try await second.snapshot(at: now).remainingThisMinute == 2)
        }
    }

    @Test("One process at a time fetches a token, and the token at rest is what was saved", arguments: Engine.allCases)
    func tokens(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            let first = MirrorTokenStore(mirror, process: "a")
            let second = MirrorTokenStore(mirror, process: "a")
            #expect(try await first.acquireRefresh())
            let isTaken = try await second.acquireRefresh()
            #expect(!isTaken)
            let token = SealedToken(
                sealed: [0, 1, 255], expiresAt: Date(timeIntervalSince1970: 1_772_456_400), issued: [])
            try await first.save(token)
            try await first.releaseRefresh()
            #expect(try await second.load() == token)
            #expect(try await second.acquireRefresh())
        }
    }

    @Test("The numbers of the change log follow the commits, also of transactions side by side")
    func changeOrder() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for step in 0..<10 {
                            let first = 1_000 * writer + 20 * step
                            try await mirror.apply((first..<first + 20).map { .product($0) }, at: time)
                        }
                    }
                }
                group.addTask {
                    // A reader who follows the log sees no number below one that it has seen.
                    var seen: Set<String> = []
                    var highest = 0
                    while seen.count < 800 {
                        let numbers = try await mirror.texts("select id from sync_changes order by id").compactMap {
                            $0[0]
                        }
                        let fresh = numbers.filter { !seen.contains($0) }.compactMap { Int($0) }
                        if let least = fresh.min() { #expect(least > highest) }
                        highest = max(highest, fresh.max() ?? 0)
                        seen.formUnion(numbers)
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
