import Synchronization

/// Does what must not be left half done, such as a commit, whether or not the caller is cancelled meanwhile.
package func uncancelled<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
    try await Task { try await body() }.value
}

extension Task where Failure == any Error {
    /// The task's value, or `CancellationError` as soon as who waits for it is cancelled; the task itself goes on.
    package var valueUnlessCancelled: Success {
        get async throws {
            let waiter = Waiter<Success>()
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    waiter.begin(continuation)
                    Task<Void, Never> { waiter.end(await result) }
                }
            } onCancel: {
                waiter.end(.failure(_Concurrency.CancellationError()))
            }
        }
    }
}

/// A continuation that the first of two ends.
private final class Waiter<Value: Sendable>: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Value, any Error>)
        case ended(Result<Value, any Error>)
    }

    private let state = Mutex(State.idle)

    func begin(_ continuation: CheckedContinuation<Value, any Error>) {
        let early: Result<Value, any Error>? = state.withLock { state in
            if case .ended(let result) = state { return result }
            state = .waiting(continuation)
            return nil
        }
        if let early { continuation.resume(with: early) }
    }

    func end(_ result: Result<Value, any Error>) {
        let continuation: CheckedContinuation<Value, any Error>? = state.withLock { state in
            defer { if case .ended = state {} else { state = .ended(result) } }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume(with: result)
    }
}
