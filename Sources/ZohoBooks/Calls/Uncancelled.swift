import Synchronization

/// Does what must not be left half done, such as a commit, although the caller is cancelled meanwhile.
///
/// Cancelled, it has some time to end by itself. Then it is stopped, which a transaction bears; and what cannot be stopped
/// either, as a statement of a database that hangs, is not waited for, because the program's own end waits for this.
///
/// - Parameter timeout: how long it may go on after the caller was cancelled.
/// - Throws: what the body throws; `CancellationError` where it is not waited for.
package func uncancelled<T: Sendable>(
    for timeout: Duration = .seconds(10), clock: any Clock<Duration> = ContinuousClock(),
    _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    let waiter = Waiter<T>()
    let work = Task { try await body() }
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            waiter.begin(continuation)
            Task<Void, Never> { waiter.end(await work.result) }
        }
    } onCancel: {
        Task {
            try await clock.sleep(for: timeout)
            work.cancel()
            try await clock.sleep(for: .seconds(1))
            waiter.end(.failure(CancellationError()))
        }
    }
}

/// Does something that may hang, and waits for it no longer than a bound.
///
/// - Throws: what the body throws; ``DeadlinePassed`` where it took longer, and it is stopped as far as it can be;
///   `CancellationError` as soon as the caller is cancelled.
package func within<T: Sendable>(
    _ bound: Duration, clock: any Clock<Duration> = ContinuousClock(), _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    let waiter = Waiter<T>()
    let work = Task { try await body() }
    let alarm = Task {
        try await clock.sleep(for: bound)
        waiter.end(.failure(DeadlinePassed(bound: bound)))
        work.cancel()
    }
    defer { alarm.cancel() }
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            waiter.begin(continuation)
            Task<Void, Never> { waiter.end(await work.result) }
        }
    } onCancel: {
        work.cancel()
        waiter.end(.failure(CancellationError()))
    }
}

/// Why something was not waited for any longer.
package struct DeadlinePassed: Error, Sendable, CustomStringConvertible {
    /// How long was waited.
    package let bound: Duration

    package var description: String { "There was no answer within \(bound)." }
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
