package import Logging
import Synchronization

/// A bounded set of connections that many tasks share.
///
/// Connections open when they are first needed and stay open; one that is lost makes way for a new one. Whoever finds
/// all of them in use waits in line. What a user changes on a connection for good (`SET`, temporary tables, session
/// locks) the next one finds: use `SET LOCAL` and their like.
package final class PostgresPool: Sendable {
    private typealias State = PoolState<PostgresConnection>
    private typealias Waiter = CheckedContinuation<State.Grant, any Error>

    private struct Guarded {
        var state: State
        var waiters: [Int: Waiter] = [:]
        var lastWaiter = 0
    }

    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let guarded: Mutex<Guarded>

    /// Makes a pool without connecting.
    ///
    /// - Parameter limit: the greatest number of connections, at least 1.
    package init(_ configuration: PostgresConfiguration, limit: Int, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        guarded = Mutex(Guarded(state: State(limit: limit)))
    }

    /// Runs a body on a connection of the pool, as `PostgresConnection.run` does.
    package func run<T: Sendable>(_ body: @Sendable (PostgresSession) throws -> T) async throws -> T {
        try await withConnection { try await $0.run(body) }
    }

    /// Lends a connection to `body`, which must not keep it.
    ///
    /// An open transaction is rolled back when it comes back.
    ///
    /// - Throws: what `body` throws; `CancellationError` when the task is cancelled while it waits; `PostgresError` when
    ///   no connection can be opened or the pool is closed.
    package func withConnection<T>(_ body: (PostgresConnection) async throws -> T) async throws -> T {
        let connection = try await lease()
        do {
            let value = try await body(connection)
            await release(connection)
            return value
        } catch {
            await release(connection)
            throw error
        }
    }

    /// Closes the idle connections now and the others when they come back, and turns waiting tasks away.
    package func close() async {
        let (idle, waiting) = guarded.withLock { guarded in
            let closing = guarded.state.close()
            return (closing.idle, closing.waiters.compactMap { guarded.waiters.removeValue(forKey: $0) })
        }
        for waiter in waiting { waiter.resume(throwing: Self.closed) }
        for connection in idle { await connection.close() }
    }

    private static let closed = PostgresError(.connectionLost, "its pool was closed by this process")

    private func lease() async throws -> PostgresConnection {
        if case .connection(let connection) = try await grant() {
            if connection.isQuiet { return connection }
            if await connection.isAlive() { return connection }
            await connection.close()
            logger.debug("PostgreSQL connection found lost")
        }
        do {
            return try await PostgresConnection.open(configuration, logger: logger)
        } catch {
            giveBack(nil)
            throw error
        }
    }

    private func release(_ connection: PostgresConnection) async {
        let isSettled = connection.isAtRest ? true : await connection.settle()
        if isSettled {
            if case .close = giveBack(connection) { await connection.close() }
        } else {
            await connection.close()
            giveBack(nil)
        }
    }

    private func grant() async throws -> State.Grant {
        let id = guarded.withLock { guarded in
            guarded.lastWaiter += 1
            return guarded.lastWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                let answer: Result<State.Grant, any Error>? = guarded.withLock { guarded in
                    // Under the lock: a cancellation after this look finds the waiter in line.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    switch guarded.state.request(by: id) {
                    case .granted(let grant): return .success(grant)
                    case .closed: return .failure(Self.closed)
                    case .queued:
                        guarded.waiters[id] = waiter
                        return nil
                    }
                }
                if let answer { waiter.resume(with: answer) }
            }
        } onCancel: {
            let waiter = guarded.withLock { guarded in
                guarded.state.cancel(id) ? guarded.waiters.removeValue(forKey: id) : nil
            }
            waiter?.resume(throwing: CancellationError())
        }
    }

    @discardableResult
    private func giveBack(_ connection: PostgresConnection?) -> State.Return {
        let (outcome, waiter) = guarded.withLock { guarded in
            let outcome = guarded.state.giveBack(connection)
            guard case .passed(_, let id) = outcome else { return (outcome, Waiter?.none) }
            return (outcome, guarded.waiters.removeValue(forKey: id))
        }
        if case .passed(let grant, _) = outcome { waiter?.resume(returning: grant) }
        return outcome
    }
}
