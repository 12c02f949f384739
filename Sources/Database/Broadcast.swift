import Synchronization

/// Wakes the listeners of a channel within this process.
final class Broadcast: Sendable {
    private typealias Continuation = AsyncStream<Void>.Continuation

    private struct State {
        var listeners: [String: [Int: Continuation]] = [:]
        var lastID = 0
    }

    private let state = Mutex(State())

    /// A stream that yields at once, because something may have happened before, and then whenever the channel is
    /// notified; notifications that nobody has taken yet count once.
    func listen(to channel: String) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            state.lastID += 1
            state.listeners[channel, default: [:]][state.lastID] = continuation
            return state.lastID
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners[channel]?.removeValue(forKey: id) }
        }
        continuation.yield()
        return stream
    }

    func notify(_ channels: Set<String>) {
        let woken = state.withLock { state in channels.flatMap { state.listeners[$0]?.values.map(\.self) ?? [] } }
        for continuation in woken { continuation.yield() }
    }

    func finish() {
        let all = state.withLock { state in
            defer { state.listeners = [:] }
            return state.listeners.values.flatMap(\.values)
        }
        for continuation in all { continuation.finish() }
    }
}

/// The channels that a transaction notifies when it commits.
final class PendingNotifications {
    var channels: Set<String> = []
}
