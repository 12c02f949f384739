import Synchronization

/// Wakes the listeners of a channel within this process.
final class Broadcast: Sendable {
    private typealias Continuation = AsyncStream<Void>.Continuation

    private struct State {
        var listeners: [String: [Int: Continuation]] = [:]
        var lastID = 0
    }

    private let state = Mutex(State())

    /// A stream that yields whenever the channel is notified; notifications that nobody has taken yet count once.
    ///
    /// - Parameter isLate: whether something may have been missed, so that the stream yields at once too.
    func listen(to channel: String, isLate: Bool = true) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            state.lastID += 1
            state.listeners[channel, default: [:]][state.lastID] = continuation
            return state.lastID
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners[channel]?.removeValue(forKey: id) }
        }
        if isLate { continuation.yield() }
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
