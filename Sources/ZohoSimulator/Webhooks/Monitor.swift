import Synchronization

/// A value that tasks can wait on: a lock and a condition variable for asynchronous code.
package final class Monitor<Value: Sendable>: Sendable {
    private struct Waiter {
        /// Resumes the waiter and returns true if its condition holds.
        let isMet: @Sendable (inout Value) -> Bool
        let cancel: @Sendable () -> Void
    }

    private struct Guarded {
        var value: Value
        var waiters: [UInt64: Waiter] = [:]
        var lastNumber: UInt64 = 0

        mutating func wake() {
            var woke = !waiters.isEmpty
            // What one waiter does to the value can be what another waits for.
            while woke {
                woke = false
                for (number, waiter) in waiters.sorted(by: { $0.key < $1.key }) where waiter.isMet(&value) {
                    waiters[number] = nil
                    woke = true
                }
            }
        }
    }

    private let guarded: Mutex<Guarded>

    package init(_ value: Value) { guarded = Mutex(Guarded(value: value)) }

    /// Calls `body` with the value; where it changes it, waiters whose condition then holds are resumed.
    @discardableResult
    package func update<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        guarded.withLock { guarded in
            let result = body(&guarded.value)
            guarded.wake()
            return result
        }
    }

    /// Waits until `condition` returns a result, for which it may change the value.
    ///
    /// - Throws: `CancellationError`.
    package func wait<Result: Sendable>(for condition: @escaping @Sendable (inout Value) -> Result?) async throws
        -> Result
    {
        let number = guarded.withLock { guarded in
            guarded.lastNumber += 1
            return guarded.lastNumber
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Result, any Error>) in
                guarded.withLock { guarded in
                    if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
                    if let result = condition(&guarded.value) {
                        continuation.resume(returning: result)
                        return guarded.wake()
                    }
                    guarded.waiters[number] = Waiter(
                        isMet: { value in
                            guard let result = condition(&value) else { return false }
                            continuation.resume(returning: result)
                            return true
                        }, cancel: { continuation.resume(throwing: CancellationError()) })
                }
            }
        } onCancel: {
            guarded.withLock { $0.waiters.removeValue(forKey: number) }?.cancel()
        }
    }
}
