import Database
import TestSupport
import Testing

@Suite("Notifications")
struct NotificationTests {
    @Test("Listeners hear at once, and then of commits that notify their channel", arguments: Engine.allCases)
    func heard(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            var inbox = database.notifications(of: "inbox").makeAsyncIterator()
            var changes = database.notifications(of: "changes").makeAsyncIterator()
            #expect(await inbox.next() != nil)
            #expect(await changes.next() != nil)
            try await database.write(.immediate) { try $0.notify("inbox") }
            #expect(await inbox.next() != nil)
            try await database.write { try $0.notify("changes") }
            #expect(await changes.next() != nil)
        }
    }

    @Test("A transaction that rolls back notifies nobody", arguments: Engine.allCases)
    func rolledBack(engine: Engine) async throws {
        struct Undone: Error {}
        try await withDatabase(engine) { database in
            let inbox = database.notifications(of: "inbox")
            let (started, start) = AsyncStream<Void>.makeStream()
            let heard = Task {
                var count = 0
                for await _ in inbox {
                    count += 1
                    start.yield()
                }
                return count
            }
            for await _ in started { break }
            await #expect(throws: Undone.self) {
                try await database.write { transaction in
                    try transaction.notify("inbox")
                    throw Undone()
                }
            }
            var other = database.notifications(of: "other").makeAsyncIterator()
            #expect(await other.next() != nil)
            try await database.write { try $0.notify("other") }
            #expect(await other.next() != nil)
            heard.cancel()
            #expect(await heard.value == 1)
        }
    }

    @Test("On PostgreSQL, other connections of the schema hear too")
    func otherProcess() async throws {
        try await withLocation(.postgres) { location in
            try await withDatabase(at: location) { first in
                try await withDatabase(at: location) { second in
                    var inbox = second.notifications(of: "inbox").makeAsyncIterator()
                    #expect(await inbox.next() != nil)
                    try await first.write { try $0.notify("inbox") }
                    #expect(await inbox.next() != nil)
                }
            }
        }
    }

    @Test("A transaction that must be on the disk is written as others are", arguments: Engine.allCases)
    func immediate(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            try await database.write { try $0.script("create table notes (note text)") }
            let setting = try await database.write(.immediate) { transaction in
                try transaction.execute("insert into notes values ('kept')")
                return try transaction.query(
                    engine == .postgres ? "show synchronous_commit" : "pragma synchronous"
                ).first?.text(0)
            }
            #expect(setting == (engine == .postgres ? "on" : "2"))
            let after = try await database.write { transaction in
                try transaction.query(engine == .postgres ? "show synchronous_commit" : "pragma synchronous")
                    .first?.text(0)
            }
            #expect(after == (engine == .postgres ? "off" : "1"))
        }
    }
}
