import ServiceLifecycle

/// Runs the server's parts in a task of their own, so that the program can end without those that hang.
///
/// The parts' own library would crash the program then.
final class ServiceGroupTask: Sendable {
    private let parts: Task<Void, Never>
    private let results: AsyncStream<Result<Void, any Error>>
    private let result: AsyncStream<Result<Void, any Error>>.Continuation

    init(_ group: ServiceGroup) {
        let (results, result) = AsyncStream.makeStream(
            of: Result<Void, any Error>.self, bufferingPolicy: .bufferingOldest(1))
        (self.results, self.result) = (results, result)
        parts = Task {
            do {
                try await group.run()
                result.yield(.success(()))
            } catch {
                result.yield(.failure(error))
            }
        }
    }

    /// Waits until all parts have ended, or are abandoned.
    ///
    /// - Throws: why they have ended; ``ShutdownOverdue`` where they were abandoned.
    func wait() async throws {
        // Not in the caller's task, whose cancellation must not end this before the parts have ended.
        try await Task { [results] in
            for await result in results { return try result.get() }
        }.value
    }

    /// Cancels all parts.
    func cancel() { parts.cancel() }

    /// Ends ``wait()`` although parts are still running.
    func abandon() { result.yield(.failure(ShutdownOverdue())) }
}

/// Why a server has not ended as it should.
package struct ShutdownOverdue: Error, CustomStringConvertible {
    package let description = """
        The server was told to stop, but part of it did not end in time, for example because the database hangs. Nothing \
        is lost: what it was working on is picked up again by itself.
        """
}
