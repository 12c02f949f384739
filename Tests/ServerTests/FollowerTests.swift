import AsyncHTTPClient
import Database
import Foundation
import Mirror
import NIOCore
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
                            Self.changes(in: $0).count >= count
                        }
                        return Self.changes(in: text)
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

    /// The ids of the changes that have come whole; what keeps a stream alive has an id too.
    private static func changes(in text: String) -> [String] {
        text.components(separatedBy: "\n\n").dropLast().filter { $0.contains("event: change\n") }.compactMap { event in
            event.split(separator: "\n").first { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
        }
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
            #expect(rest.entries.map(\.id) == [Int64(ChangeFeed.buffer) + 1, Int64(ChangeFeed.buffer) + 2])
            let nothing = try await feed.page(after: 0, entity: "products")
            #expect(nothing.entries.isEmpty && nothing.last == rest.last)
        }
    }

    /// Writes so many entries of one delivery each, the first of them numbered 1.
    private static func log(_ ids: ClosedRange<Int64>, in mirror: Mirror, at time: Int64 = 0) async throws {
        try await mirror.database.write { transaction in
            try transaction.insert(
                ids.map { id -> [SQLValue] in
                    [.integer(id), .text("bills"), .text("7"), .text("inserted"), .instant(time), .text("")]
                },
                into: "sync_changes", columns: ["id", "entity", "zoho_id", "kind", "changed_at", "content_hash"])
            try transaction.skipNumbers(Int64(ids.count), in: "sync_changes")
        }
    }

    @Test(
        "Who catches up and does not read costs a page, and deliveries are taken all the same",
        arguments: Engine.allCases)
    func deaf(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            try await Self.log(1...1_000, in: rig.mirror)
            let feed = ChangeFeed(rig.mirror)
            let first = try await feed.page(after: 0, entity: nil)
            #expect(first.entries.map(\.id) == (1...50).map { Int64($0) })
            // Their answers are never read.
            var answers: [HTTPClientResponse] = []
            for _ in 0..<10 {
                var request = HTTPClientRequest(url: rig.address + "/api/zoho/changes/stream?after=0")
                request.headers.add(name: "Authorization", value: "Bearer \(rig.readToken)")
                answers.append(try await rig.http.execute(request, timeout: .seconds(120)))
            }
            let body = try rig.body(of: .items, rig.control.id(.items, at: 0), key: "item")
            #expect(try await rig.deliver(body, to: "products").status == 202)
            let text = try await rig.follow("/api/zoho/changes/stream?after=0") { Self.changes(in: $0).count >= 1_000 }
            #expect(Self.changes(in: text).prefix(1_000).elementsEqual((1...1_000).map { "\($0)" }))
            for answer in answers { for try await _ in answer.body { break } }
        }
    }

    @Test("Only so many streams are followed at once, and an ended one makes room", arguments: Engine.allCases)
    func places(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.server.streams = 2
            $0.server.keepAlive = .milliseconds(50)
        } _: { rig in
            let path = "/api/zoho/changes/stream"
            _ = try await rig.follow(path) { _ in
                _ = try await rig.follow(path) { _ in
                    let refused = try await rig.get(path)
                    #expect(refused.status == 503)
                    #expect(refused.headers.first(name: "Retry-After") != nil)
                    return true
                }
                return true
            }
            // The server hears of the ends a little later.
            try await waitUntil("a place is free") {
                var request = HTTPClientRequest(url: rig.address + path)
                request.headers.add(name: "Authorization", value: "Bearer \(rig.readToken)")
                let answer = try await rig.http.execute(request, timeout: .seconds(120))
                for try await _ in answer.body { break }
                return answer.status == .ok
            }
        }
    }

    @Test("A follower is told of entries that are gone, and of a number that never was", arguments: Engine.allCases)
    func gap(engine: Engine) async throws {
        try await ServerRig.with(engine) { rig in
            let day: Int64 = 86_400_000_000
            try await Self.log(1...20, in: rig.mirror, at: rig.mirror.now() - 400 * day)
            for after in [0, 5, 20] { #expect(try await rig.get("/api/zoho/changes?after=\(after)").status == 200) }
            let retention = Mirror.Retention(
                history: rig.mirror.now() - 90 * day, changes: rig.mirror.now() - 365 * day)
            #expect(try await rig.mirror.prune(olderThan: retention)["sync_changes"] == 20)
            let item = try rig.body(of: .items, rig.control.id(.items, at: 0), key: "item")
            #expect(try await rig.deliver(item, to: "products").status == 202)
            try await rig.expect("select count(*) from sync_changes", gives: "1")
            let last = try await rig.mirror.lastChangeID()
            #expect(last > 20)

            for after in [0, 19] {
                let gone = try await rig.get("/api/zoho/changes?after=\(after)")
                #expect(gone.status == 410)
                #expect((gone.json["detail"] as? String)?.contains("up to 20") == true)
                #expect((gone.json["detail"] as? String)?.contains("continue after \(last)") == true)
            }
            // Who has seen all that is gone goes on, and so does who begins anywhere.
            for query in ["?after=20", ""] {
                let list = try await rig.get("/api/zoho/changes\(query)").json
                #expect((list["changes"] as? [Any])?.count == 1)
            }
            let text = try await rig.follow(
                "/api/zoho/changes/stream", headers: ["Last-Event-ID": "7"]
            ) { $0.contains("event: change") }
            let events = text.components(separatedBy: "\n\n").filter { $0.contains("data: ") }
            #expect(events.first == "id: 20\nevent: gap\ndata: {\"after\":7,\"removed_through\":20}")
            #expect(Self.ids(text) == ["20", "\(last)"])

            let (query, header) = (
                try await rig.get("/api/zoho/changes?after=99999999"),
                try await rig.request(
                    .GET, "/api/zoho/changes/stream", token: rig.readToken, headers: ["Last-Event-ID": "99999999"])
            )
            for answer in [query, header] {
                #expect(answer.status == 409)
                #expect((answer.json["detail"] as? String)?.contains("ends at \(last)") == true)
            }
        }
    }

    @Test(
        "Who follows one entity, or begins now, has no gap because others' entries are gone", arguments: Engine.allCases
    )
    func noGap(engine: Engine) async throws {
        try await ServerRig.with(engine) {
            $0.server.keepAlive = .milliseconds(50)
        } _: { rig in
            let day: Int64 = 86_400_000_000
            try await Self.log(1...20, in: rig.mirror, at: rig.mirror.now() - 400 * day)
            let seen = try await rig.get("/api/zoho/changes?after=0&entity=products").json
            #expect((seen["changes"] as? [Any])?.isEmpty == true)
            #expect(seen["last"] as? Int == 20)
            // Its connection may end; it then goes on after what the stream has told.
            let quiet = try await rig.follow("/api/zoho/changes/stream?after=0&entity=products") { $0.contains("id: ") }
            #expect(Self.ids(quiet).last == "20")
            let retention = Mirror.Retention(
                history: rig.mirror.now() - 90 * day, changes: rig.mirror.now() - 365 * day)
            #expect(try await rig.mirror.prune(olderThan: retention)["sync_changes"] == 20)
            #expect(try await rig.get("/api/zoho/changes?after=20&entity=products").status == 200)
            let item = try rig.body(of: .items, rig.control.id(.items, at: 0), key: "item")
            let text = try await rig.follow("/api/zoho/changes/stream") { text in
                if text.contains("still here"), !text.contains("event:") {
                    _ = try await rig.deliver(item, to: "products")
                }
                return text.contains("event: ")
            }
            #expect(text.contains("event: change") && !text.contains("event: gap"))
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
