import AsyncAlgorithms
import HTTPTypes
import Hummingbird
import Mirror
import ServiceLifecycle
import ZohoBooks

/// The mirror's change log, for programs that follow it.
struct ChangesAPI: Sendable {
    let mirror: Mirror
    let feed: ChangeFeed
    let streams: StreamLimit
    /// How often a stream without events sends a comment, so that it does not look dead.
    let keepAlive: Duration

    /// What a follower has missed.
    private struct Gap: Encodable {
        let after: Int64
        let removedThrough: Int64
    }

    func list(_ request: Request, _ context: ServerContext) async throws -> Response {
        var query = QueryReader(request, known: ["after", "entity", "limit"])
        let given = query.number("after", in: 0...Int.max).map(Int64.init)
        let entity = query.entity()
        let limit = query.number("limit", in: 1...1_000) ?? 100
        try query.finish()
        if let given { try await mirror.checkChanges(after: given) }
        let after = given ?? 0
        let page = try await mirror.changePage(after: after, entity: entity, limit: limit)
        let members = page.changes.map { ChangeDocument.json($0) }.joined(separator: ",")
        return .json(.ok, text: "{\"changes\":[\(members)],\"last\":\(page.last)}")
    }

    /// Continues after `Last-Event-ID` or `after`; without either, starts with what is committed from now on.
    ///
    /// Where entries that the follower has not seen are gone, an event `gap` comes in their place.
    func stream(_ request: Request, _ context: ServerContext) async throws -> Response {
        var query = QueryReader(request, known: ["after", "entity"])
        let after = query.number("after", in: 0...Int.max).map(Int64.init)
        let entity = query.entity()
        var seen = after
        if let text = request.headers[.lastEventID] {
            seen = Int64(text)
            if seen == nil { query.refuse("Last-Event-ID", "must be the id of an event") }
        }
        try query.finish()
        let first: Int64
        if let seen {
            first = seen
            // The stream reports what was removed, so that a client that only reconnects learns of it too.
            do { try await mirror.checkChanges(after: seen) } catch MirrorError.changesRemoved {}
        } else {
            first = try await mirror.lastChangeID()
        }
        return .events(in: try streams.take()) { [mirror, feed, keepAlive] stream in
            var last = first
            while !Task.isShuttingDownGracefully {
                try Task.checkCancellation()
                // Followed before the pages are read, so that nothing is missed in between.
                let entries = try await feed.follow()
                if let removed = try await mirror.removedChanges(after: last) {
                    try await stream.send("gap", id: removed, data: Gap(after: last, removedThrough: removed).json)
                    last = removed
                }
                var hasMore = true
                while hasMore {
                    let page = try await feed.page(after: last, entity: entity)
                    for entry in page.entries { try await stream.send("change", id: entry.id, data: entry.json) }
                    last = page.last
                    hasMore = page.entries.count == ChangeFeed.ownPage
                }
                let news = chain(entries.map { FeedEvent.entries($0) }, [FeedEvent.end].async)
                let ticks = AsyncTimerSequence(interval: keepAlive, clock: .continuous).map { _ in FeedEvent.silence }
                following: for await event in merge(news, ticks).cancelOnGracefulShutdown() {
                    switch event {
                    case .entries(let entries):
                        for entry in entries where entry.id > last {
                            if (entity ?? entry.entity) == entry.entity {
                                try await stream.send("change", id: entry.id, data: entry.json)
                            }
                            last = entry.id
                        }
                    case .silence: try await stream.keepAlive(id: last)
                    case .end: break following
                    }
                }
            }
        }
    }

    private enum FeedEvent: Sendable {
        case entries([ChangeFeed.Entry])
        case silence
        case end
    }
}
