import UnixSignals

/// Runs work that SIGINT or SIGTERM cancels, so that it stops at the next commit.
///
/// - Throws: what the work throws, which is a `CancellationError` where it was stopped.
func cancelledBySignals<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    return try await withThrowingTaskGroup(of: T?.self) { group in
        group.addTask { try await work() }
        group.addTask {
            for await _ in signals { break }
            return nil
        }
        defer { group.cancelAll() }
        while let result = try await group.next() {
            if let value = result { return value }
            group.cancelAll()
        }
        throw CancellationError()
    }
}
