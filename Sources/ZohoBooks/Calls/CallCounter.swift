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
}
