import AsyncAlgorithms
import Database
import HTTPTypes
import Hummingbird
import Mirror
import ServiceLifecycle
import ZohoBooks

/// The mirror's change log, for programs that follow it.
struct ChangesAPI: Sendable {
    let mirror: Mirror

    /// Entries that are looked up at a time.
    private static let page = 500
    /// How often a stream without news shows that it is alive.
    private static let keepAlive = Duration.seconds(15)

    func list(_ request: Request, _ context: ServerContext) async throws -> Response {
        var query = QueryReader(request, known: ["after", "entity", "limit"])
        let after = query.number("after", in: 0...Int.max) ?? 0
        let entity = query.entity()
        let limit = query.number("limit", in: 1...1_000) ?? 100
        try query.finish()
        let changes = try await mirror.changes(after: Int64(after), entity: entity, limit: limit)
        let last = changes.last?.id ?? Int64(after)
        let members = changes.map { ChangeDocument.json($0) }.joined(separator: ",")
        return .json(.ok, text: "{\"changes\":[\(members)],\"last\":\(last)}")
    }

    /// Goes on with the entry after `Last-Event-ID` or `after`; without either, with what comes from now on.
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
        if let seen { first = seen } else { first = try await mirror.lastChangeID() }
        return .events { [mirror] stream in
            var last = first
            let news = mirror.database.notifications(of: Mirror.changeChannel).map { _ in true }
            let ticks = AsyncTimerSequence(interval: Self.keepAlive, clock: .continuous).map { _ in false }
            for await isNews in merge(news, ticks).cancelOnGracefulShutdown() {
                if !isNews { try await stream.keepAlive() }
                while true {
                    let changes = try await mirror.changes(after: last, entity: entity, limit: Self.page)
                    for change in changes {
                        try await stream.send("change", id: change.id, data: ChangeDocument.json(change))
                        last = change.id
                    }
                    if changes.count < Self.page { break }
                }
            }
        }
    }
}
