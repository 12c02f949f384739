import Synchronization

/// Counts the calls that were made for one piece of work, those that failed and were made again included.
public final class CallCounter: Sendable {
    private let calls = Atomic(0)

    /// Begins at 0.
    public init() {}

    /// The calls since the last time, and begins anew.
    public func take() -> Int { calls.exchange(0, ordering: .relaxed) }

    func add() { calls.add(1, ordering: .relaxed) }
}

extension ZohoBooksClient {
    /// The same client, with the same token and budget, whose calls a counter counts.
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
