import Synchronization

/// Counts the calls that were made for one piece of work, those that failed and were made again included, and lets no
/// more of them be made than the work may take.
public final class CallCounter: Sendable {
    private struct State {
        var made = 0
        var taken = 0
    }

    private let state = Mutex(State())
    /// More calls are not made; nil for any number.
    private let limit: Int?

    /// Begins at 0.
    ///
    /// - Parameter limit: how many calls may be made; one more fails with ``ZohoBooksError/Kind/allowance``. Nil for any
    ///   number.
    public init(limit: Int? = nil) {
        self.limit = limit
    }

    /// The calls since the last time.
    public func take() -> Int {
        state.withLock { state in
            defer { state.taken = state.made }
            return state.made - state.taken
        }
    }

    /// The calls that may still be made; nil for any number.
    public var remaining: Int? { limit.map { limit in state.withLock { max(0, limit - $0.made) } } }

    /// Counts a call that is about to be made.
    func begin() throws(ZohoBooksError) {
        let isAllowed = state.withLock { state in
            if let limit, state.made >= limit { return false }
            state.made += 1
            return true
        }
        if !isAllowed { throw .allowance(limit ?? 0) }
    }

    /// Takes back a call that was not made in the end.
    func giveBack() { state.withLock { $0.made -= 1 } }
}

extension ZohoBooksClient {
    /// The same client, with the same token and budget, whose calls a counter counts and limits.
    public func counted(by counter: CallCounter) -> ZohoBooksClient {
        var client = self
        client.counter = counter
        return client
    }

    /// The same client, with the same token and budget, that tells what became of each call, also of those that are made
    /// again.
    public func observed(by observer: @escaping @Sendable (CallOutcome) -> Void) -> ZohoBooksClient {
        var client = self
        client.observer = observer
        return client
    }

    /// The same client, with the same token and budget, that tells for how long a call is about to wait for the minute's
    /// limits.
    public func observed(
        whileWaiting observer: @escaping @Sendable (Duration) async -> Void
    ) -> ZohoBooksClient {
        var client = self
        client.waitObserver = observer
        return client
    }

    /// The same client, with the same token and budget, whose calls for single records fail with
    /// ``ZohoBooksError/Kind/pace(until:)`` where they would have to wait, so that other work can be done meanwhile.
    public func withoutWaitingForDetails() -> ZohoBooksClient {
        var client = self
        client.waitsForDetails = false
        return client
    }
}

extension CallOutcome {
    /// What a call came to, in one word.
    public enum Result: String, Sendable, Hashable, CaseIterable {
        case ok
        /// Zoho allows no call at the moment.
        case throttled
        /// Zoho refused it for another reason, or did not answer.
        case error
    }

    /// What the call came to.
    public var result: Result {
        if status == 429 || ThrottleCode(rawValue: code) != nil { return .throttled }
        return (200..<300).contains(status) && code == 0 ? .ok : .error
    }
}
