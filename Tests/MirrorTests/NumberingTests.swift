import Catalog
import Database
import Foundation
import Logging
import Mirror
import TestSupport
import Testing
import ZohoBooks

@Suite("The numbers of the change log")
struct NumberingTests {
    private static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test("Who has seen a number never misses a smaller one, whichever transaction is numbered first")
    func order() async throws {
        let time = ManualTime()
        try await withMirror(.postgres, time: time) { mirror in
            let goOn = DispatchSemaphore(value: 0)
            let (isNumbered, continuation) = AsyncStream.makeStream(of: Void.self)
            let first = Task {
                defer { continuation.finish() }
                return try await mirror.apply(try Self.batch([1], time)) { _, _ in
                    continuation.yield()
                    goOn.wait()
                }
            }
            _ = await isNumbered.first { _ in true }
            let second = Task { try await mirror.apply(try Self.batch([2], time)) }
            var seen: [Change] = []
            try await waitUntil("the second has committed, or waits for the first") {
                seen = try await mirror.changes(after: 0, limit: 9)
                if !seen.isEmpty { return true }
                return try await mirror.text(Self.waiting) != "0"
            }
            goOn.signal()
            _ = try await (first.value, second.value)
            seen += try await mirror.changes(after: seen.last?.id ?? 0, limit: 9)
            #expect(seen.map(\.zohoID) == ["1", "2"])
        }
    }

    /// How many wait for a lock that an application of this database has taken.
    private static let waiting = """
        select count(*) from pg_locks join pg_database on pg_database.oid = database
        where datname = current_database() and locktype = 'advisory' and not granted
        """

    private static func batch(_ ids: [Int], _ time: ManualTime) throws -> Batch {
        var batch = Batch(try #require(Catalog.entity(named: "products")), origin: .run(1))
        for id in ids { batch.add(SampleRecord.product(id).json, shape: .list, observedAt: time.now) }
        return batch
    }

    @Test("Nothing is left out as long as nothing has failed", arguments: Engine.allCases)
    func gapless(engine: Engine) async throws {
        let time = ManualTime()
        try await withLocation(engine) { location in
            for id in 1...3 {
                try await withDatabase(at: location) { database in
                    let mirror = Mirror(database: database, now: { time.now }, logger: Self.silent)
                    try await mirror.prepare(organizationID: testOrganisation)
                    try await mirror.apply([.product(id)], at: time)
                }
            }
            try await withDatabase(at: location) { database async throws -> Void in
                let mirror = Mirror(database: database, now: { time.now }, logger: Self.silent)
                #expect(try await mirror.changes(after: 0, limit: 9).map(\.id) == [1, 2, 3])
            }
        }
    }

    @Test(
        "Where the machine has failed, numbers that may have been seen are never given again",
        arguments: Engine.allCases)
    func lostNumbers(engine: Engine) async throws {
        let time = ManualTime()
        try await withLocation(engine) { location in
            try await withDatabase(at: location) { database in
                let mirror = Mirror(database: database, now: { time.now }, logger: Self.silent)
                try await mirror.prepare(organizationID: testOrganisation)
                try await mirror.apply([.product(1), .product(2)], at: time)
                // As if what came after the first were lost, and the machine had started again since.
                try await database.write { transaction in
                    try transaction.script("delete from sync_changes where id = 2; delete from products where id = 2")
                    try transaction.script(
                        engine == .postgres
                            ? "select setval('sync_changes_id_seq', 1)"
                            : "update sqlite_sequence set seq = 1 where name = 'sync_changes'")
                    try transaction.script("update sync_numbering set incarnation = 'another'")
                }
            }
            try await withDatabase(at: location) { database in
                let mirror = Mirror(database: database, now: { time.now }, logger: Self.silent)
                try await mirror.prepare(organizationID: testOrganisation)
                try await mirror.apply([.product(2)], at: time)
                try await mirror.apply([.product(3)], at: time)
                let changes = try await mirror.changes(after: 2, limit: 9)
                #expect(changes.map(\.zohoID) == ["2", "3"])
                #expect(changes.allSatisfy { $0.id > 1_000_000 })
                #expect(changes.last?.id == (changes.first?.id ?? 0) + 1)
            }
        }
    }

    @Test("A follower misses nothing when PostgreSQL fails under a mirror that goes on")
    func crash() async throws {
        let time = ManualTime()
        try await PostgresServer.withStoppable { server in
            let database = try await openDatabase(DatabaseLocation(server.url), logger: Self.silent)
            let mirror = Mirror(database: database, now: { time.now }, logger: Self.silent)
            // What is committed stays in memory, so that it is lost.
            try await server.delayWriting()
            try await mirror.prepare(organizationID: testOrganisation)
            try await mirror.apply([.product(1)], at: time)
            for id in 2...40 { try await mirror.apply([.product(id)], at: time) }
            let seen = try #require(try await mirror.changes(after: 0, limit: 100).last)
            #expect(seen.zohoID == "40")
            try await server.stop()
            try await server.start()
            // Connections that broke are found out one by one.
            for _ in 0..<10 where (try? await mirror.apply([.product(41)], at: time)) != nil { break }
            #expect(try await mirror.changes(after: seen.id, limit: 100).map(\.zohoID) == ["41"])
            await database.close()
        }
    }
}
