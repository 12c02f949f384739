import Database
import Foundation
import Mirror
import NIOHTTP1
import TestSupport
import Testing
import ZohoSimulator

@testable import Server

@Suite("Following the changes")
struct FollowerTests {
    @Test("Fifty followers get every change in its order while deliveries go on", arguments: Engine.allCases)
    func many(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let count = 40
            let seen = try await withThrowingTaskGroup(of: [String].self) { group in
                for follower in 0..<50 {
                    let query = follower.isMultiple(of: 2) ? "?after=0" : "?after=0&entity=products"
                    group.addTask {
                        let text = try await rig.follow("/api/zoho/changes/stream" + query) {
                            Self.ids($0).count >= count
                        }
                        return Self.ids(text)
                    }
                }
                for index in 0..<count {
                    let body = try rig.body(of: .items, rig.control.id(.items, at: index), key: "item")
                    #expect(try await rig.deliver(body, to: "products").status == 202)
                }
                return try await group.reduce(into: [[String]]()) { $0.append($1) }
            }
            let all = try await rig.mirror.changes(after: 0, limit: 100).map { String($0.id) }
            #expect(all.count == count)
            #expect(seen.count == 50)
            #expect(seen.allSatisfy { $0 == all })
            // Each event is a change as it is described.
            let text = try await rig.follow("/api/zoho/changes/stream?after=0") { $0.contains("data: ") }
            let event = try #require(text.split(separator: "\n").first { $0.hasPrefix("data: ") }?.dropFirst(6))
            let json = try JSONSerialization.jsonObject(with: Data(event.utf8))
            #expect(Schema.named("Change").faults(of: json) == [])
        }
    }

    private static func ids(_ text: String) -> [String] {
        text.split(separator: "\n").filter { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
    }

    @Test("Who is too slow is let go with what he was handed, and catches up by pages")
    func slow() async throws {
        try await withDatabase(.sqlite) { database in
            let mirror = Mirror(database: database, now: { 0 }, logger: .silent)
            try await mirror.prepare(organizationID: "1")
            let feed = ChangeFeed(mirror)
            let slow = try await feed.follow()
            for id in 1...(ChangeFeed.buffer + 2) {
                try await database.write { transaction in
                    _ = try transaction.execute(
                        """
                        insert into sync_changes (id, entity, zoho_id, kind, changed_at, content_hash)
                        values ($1, 'bills', '7', 'inserted', $2, '')
                        """, [.integer(Int64(id)), .instant(0)])
                }
                await feed.handOut()
            }
            var handed: [Int64] = []
            for await entries in slow { handed += entries.map(\.id) }
            #expect(handed == (1...Int64(ChangeFeed.buffer)).map(\.self))
            let rest = try await feed.page(after: handed.last ?? 0, entity: "bills")
            #expect(rest.map(\.id) == [Int64(ChangeFeed.buffer) + 1, Int64(ChangeFeed.buffer) + 2])
            #expect(try await feed.page(after: 0, entity: "products").isEmpty)
        }
    }

    @Test("The changes of one entity are found by an index", arguments: Engine.allCases)
    func index(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            let mirror = Mirror(database: database, now: { 0 }, logger: .silent)
            try await mirror.prepare(organizationID: "1")
            let plan = try await database.read { transaction in
                let explain = transaction.dialect == .sqlite ? "explain query plan" : "explain"
                return try transaction.query(
                    "\(explain) select id from sync_changes where id > 5 and entity = 'bills' order by id limit 10"
                ).map { row in (0..<row.values.count).compactMap { row.text($0) }.joined() }.joined(separator: "\n")
            }
            #expect(plan.contains("sync_changes_entity"), "\(plan)")
        }
    }
}
