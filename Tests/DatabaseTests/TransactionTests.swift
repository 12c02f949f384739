import Database
import TestSupport
import Testing

@Suite("Transactions")
struct TransactionTests {
    private struct Refusal: Error {}

    private static func withNotes(
        _ engine: Engine, _ body: (any SQLDatabase) async throws -> Void
    ) async throws {
        try await withDatabase(engine) { database in
            try await database.write { try $0.script("create table notes (note text primary key)") }
            try await body(database)
        }
    }

    private static func notes(_ database: any SQLDatabase) async throws -> [String] {
        try await database.read { transaction in
            try transaction.query("select note from notes order by note").compactMap { $0.text(0) }
        }
    }

    @Test("A transaction whose body throws leaves nothing", arguments: Engine.allCases)
    func rollback(engine: Engine) async throws {
        try await Self.withNotes(engine) { database in
            await #expect(throws: Refusal.self) {
                try await database.write { transaction in
                    try transaction.execute("insert into notes values ('lost')")
                    throw Refusal()
                }
            }
            let kept = try await Self.notes(database)
            #expect(kept.isEmpty)
        }
    }

    @Test("A read sees one state, whatever is written meanwhile", arguments: Engine.allCases)
    func snapshot(engine: Engine) async throws {
        try await Self.withNotes(engine) { database in
            let (started, start) = AsyncStream<Void>.makeStream()
            let gate = Gate()
            async let counts = database.read { transaction in
                func count() throws -> Int64? { try transaction.query("select count(*) from notes").first?.int(0) }
                let before = try count()
                start.yield()
                gate.wait()
                return (before, try count())
            }
            for await _ in started { break }
            _ = try await database.write { try $0.execute("insert into notes values ('later')") }
            gate.open()
            let (before, after) = try await counts
            #expect(before == 0)
            #expect(after == 0)
            #expect(try await Self.notes(database) == ["later"])
        }
    }

    @Test("A read cannot write", arguments: Engine.allCases)
    func readCannotWrite(engine: Engine) async throws {
        try await Self.withNotes(engine) { database in
            let error = await #expect(throws: DatabaseError.self) {
                try await database.read { try $0.execute("insert into notes values ('no')") }
            }
            #expect(error?.kind == .readOnly)
        }
    }

    @Test("Savepoints nest: each undoes what was done in it, and nothing else", arguments: Engine.allCases)
    func nestedSavepoints(engine: Engine) async throws {
        try await Self.withNotes(engine) { database in
            try await database.write { transaction in
                func note(_ text: String) throws {
                    try transaction.execute("insert into notes values ($1)", [.text(text)])
                }
                try transaction.savepoint {
                    try note("a")
                    #expect(throws: Refusal.self) {
                        try transaction.savepoint {
                            try note("b")
                            try transaction.savepoint { try note("c") }
                            throw Refusal()
                        }
                    }
                    let error = #expect(throws: DatabaseError.self) { try transaction.savepoint { try note("a") } }
                    #expect(error?.kind == .record)
                    try note("d")
                }
                #expect(throws: Refusal.self) {
                    try transaction.savepoint {
                        try note("e")
                        throw Refusal()
                    }
                }
            }
            #expect(try await Self.notes(database) == ["a", "d"])
        }
    }

    @Test("A cancelled statement rolls back and surfaces as a cancellation", arguments: Engine.allCases, [false, true])
    func cancelledStatement(engine: Engine, isInSavepoint: Bool) async throws {
        let endless =
            switch engine {
            case .sqlite:
                """
                insert into notes
                with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 1000000000000)
                select 'endless' from numbers where n < 0
                """
            case .postgres: "insert into notes select 'endless' from pg_sleep(600)"
            }
        try await Self.withNotes(engine) { database in
            let (started, start) = AsyncStream<Void>.makeStream()
            let task = Task {
                defer { start.finish() }
                try await database.write { transaction in
                    try transaction.execute("insert into notes values ('lost')")
                    start.yield()
                    if isInSavepoint {
                        try transaction.savepoint { _ = try transaction.execute(endless) }
                    } else {
                        try transaction.execute(endless)
                    }
                }
            }
            for await _ in started { break }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let kept = try await Self.notes(database)
            #expect(kept.isEmpty)
            _ = try await database.write { try $0.execute("insert into notes values ('next')") }
            #expect(try await Self.notes(database) == ["next"])
        }
    }

    @Test("A task cancelled between statements gets no further, and leaves nothing", arguments: Engine.allCases)
    func cancelledBetween(engine: Engine) async throws {
        try await Self.withNotes(engine) { database in
            let (started, start) = AsyncStream<Void>.makeStream()
            let gate = Gate()
            let task = Task {
                defer { start.finish() }
                try await database.write { transaction in
                    try transaction.execute("insert into notes values ('lost')")
                    start.yield()
                    gate.wait()
                    for number in 0..<100 {
                        try transaction.savepoint {
                            _ = try transaction.execute("insert into notes values ($1)", [.text("\(number)")])
                        }
                    }
                }
            }
            for await _ in started { break }
            task.cancel()
            gate.open()
            await #expect(throws: CancellationError.self) { try await task.value }
            let kept = try await Self.notes(database)
            #expect(kept.isEmpty)
        }
    }

    @Test("Two writers of one row that block each other both get through", arguments: Engine.allCases)
    func deadlock(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            try await database.write { transaction in
                try transaction.script("create table counters (id bigint primary key, n bigint not null)")
                try transaction.execute("insert into counters values (1, 0), (2, 0)")
            }
            try await withThrowingTaskGroup { group in
                for order in [[1, 2], [2, 1]] {
                    group.addTask {
                        for _ in 0..<4 {
                            try await database.write { transaction in
                                for id in order {
                                    try transaction.execute("update counters set n = n + 1 where id = \(id)")
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let counts = try await database.read { try $0.query("select n from counters").compactMap { $0.int(0) } }
            #expect(counts == [8, 8])
        }
    }
}
