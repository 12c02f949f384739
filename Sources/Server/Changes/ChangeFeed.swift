import Database
import Mirror
import ServiceLifecycle

/// Reads the change log once for all its followers in this process.
///
/// A follower first catches up by pages of its own, and is then handed what the one reader reads. A follower that is
/// too slow for that is dropped, and catches up again.
actor ChangeFeed {
    /// An entry as followers are sent it.
    struct Entry: Sendable {
        let id: Int64
        let entity: String
        let json: String

        init(_ change: Change) {
            id = change.id
            entity = change.entity
            json = ChangeDocument.json(change)
        }
    }

    private let mirror: Mirror
    /// The newest entry that was handed out; nil while nobody follows.
    private var position: Int64?
    private var followers: [Int: AsyncStream<[Entry]>.Continuation] = [:]
    private var lastFollower = 0
    private var reading = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Entries that are read at a time for all followers.
    static let page = 500
    /// Entries that are read at a time for a follower that catches up: what it costs even if it never reads them.
    static let ownPage = 50
    /// Portions that a follower may leave unread.
    static let buffer = 16
    /// Pages that are read in parallel for followers that catch up: the other connections are for deliveries.
    private static let readers = 2

    init(_ mirror: Mirror) { self.mirror = mirror }

    /// What is committed from now on, in commit order; ends where the follower is too slow or the feed is interrupted.
    func follow() async throws -> AsyncStream<[Entry]> {
        if position == nil {
            let last = try await mirror.lastChangeID()
            // Another follower may have been faster.
            position = position ?? last
        }
        lastFollower += 1
        let (id, pair) = (
            lastFollower, AsyncStream.makeStream(of: [Entry].self, bufferingPolicy: .bufferingOldest(Self.buffer))
        )
        followers[id] = pair.continuation
        pair.continuation.onTermination = { [weak self] _ in Task { await self?.remove(id) } }
        return pair.stream
    }

    /// A page of entries for a follower that catches up.
    ///
    /// - Parameter after: only entries with a higher number.
    /// - Returns: the entries, and the number after which to continue.
    func page(after: Int64, entity: String?) async throws -> (entries: [Entry], last: Int64) {
        if reading < Self.readers {
            reading += 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
        defer {
            // The slot goes straight to the next in line.
            if waiting.isEmpty { reading -= 1 } else { waiting.removeFirst().resume() }
        }
        let page = try await mirror.changePage(after: after, entity: entity, limit: Self.ownPage)
        return (await Self.entries(page.changes), page.last)
    }

    /// Prepares entries one after the other, so that a delivery waits for one and not for all.
    @concurrent private static func entries(_ changes: [Change]) async -> [Entry] {
        var entries: [Entry] = []
        for change in changes {
            entries.append(Entry(change))
            await Task.yield()
        }
        return entries
    }

    /// Hands out what is committed until the program shuts down.
    func run() async throws {
        let news = mirror.database.notifications(of: Mirror.changeChannel)
        for await _ in news.cancelOnGracefulShutdown() { await handOut() }
        dropFollowers()
    }

    /// Reads what is new and hands it to all followers.
    func handOut() async {
        do {
            while !followers.isEmpty, let from = position {
                let changes = try await mirror.changes(after: from, limit: Self.page)
                guard let last = changes.last else { break }
                position = last.id
                let entries = await Self.entries(changes)
                for (id, follower) in followers {
                    if case .enqueued = follower.yield(entries) { continue }
                    follower.finish()
                    followers[id] = nil
                }
                if changes.count < Self.page { break }
            }
        } catch {
            // Each then catches up on its own, and sees the error.
            dropFollowers()
        }
        if followers.isEmpty { position = nil }
    }

    private func dropFollowers() {
        for follower in followers.values { follower.finish() }
        followers = [:]
        position = nil
    }

    private func remove(_ id: Int) { followers[id] = nil }
}
