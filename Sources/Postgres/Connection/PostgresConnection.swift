import Foundation
package import Logging
import Synchronization

/// One connection to PostgreSQL, owned by one thread of its own on which libpq may block.
///
/// Work is a synchronous body that runs on that thread and sees the session:
///
///     let names = try await connection.run { session in
///         let result = try session.query("SELECT name FROM products WHERE id = $1", [.integer(7)])
///         return (0..<result.rowCount).map { result.string($0, 0) }
///     }
///
/// Bodies of one connection run one after the other, each without interruption.
package actor PostgresConnection {
    private let executor = ConnectionExecutor()
    private let interrupt: StatementInterrupt
    private let session: PostgresSession
    /// The socket of a connection that is in no transaction; nil while a body runs, and where one has left more.
    private let resting = Mutex<Int32?>(nil)

    /// The connection's own thread.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private init(logger: Logger) {
        interrupt = StatementInterrupt()
        session = PostgresSession(interrupt: interrupt, logger: logger)
    }

    isolated deinit {
        session.close()
    }

    /// Connects and applies the configuration's settings.
    ///
    /// Takes up to `connectTimeout` seconds for each host; libpq cannot be interrupted meanwhile. The server's notices
    /// go to `logger` at debug level.
    package static func open(
        _ configuration: PostgresConfiguration, logger: Logger
    ) async throws -> PostgresConnection {
        let connection = PostgresConnection(logger: logger)
        try await connection.connect(configuration)
        return connection
    }

    private func connect(_ configuration: PostgresConfiguration) throws {
        do {
            try session.open(configuration)
        } catch {
            throw Self.cancellation(or: error)
        }
    }

    /// What the server calls a cancelled statement is a cancellation only if it was the task's.
    private static func cancellation(or error: any Error) -> any Error {
        Task.isCancelled && (error as? PostgresError)?.isCancelled == true ? CancellationError() : error
    }

    /// Runs a body on the connection's thread.
    ///
    /// When the task is cancelled, the statement under way ends at once and no other begins. When the body throws, a
    /// transaction that it left open is rolled back; the connection stays usable unless it is lost.
    ///
    /// - Throws: what the body throws; `CancellationError` when the task was cancelled.
    package func run<T: Sendable>(_ body: @Sendable (PostgresSession) throws -> T) async throws -> T {
        let run = interrupt.nextRun()
        return try await withTaskCancellationHandler {
            try perform(body, as: run)
        } onCancel: {
            interrupt.cancel(run: run)
        }
    }

    private func perform<T>(_ body: @Sendable (PostgresSession) throws -> T, as run: Int) throws -> T {
        // First the number, then the look at the task: a cancellation in between is seen by one or the other.
        interrupt.enter(run: run)
        resting.withLock { $0 = nil }
        defer {
            interrupt.leaveRun()
            let socket = session.restingSocket
            resting.withLock { $0 = socket }
        }
        do {
            try Task.checkCancellation()
            session.deallocateRetiredStatements()
            return try body(session)
        } catch {
            session.rollBackOpenTransaction()
            throw Self.cancellation(or: error)
        }
    }

    /// Ends what a user has left open, and tells whether the next one can use the connection.
    package func settle() -> Bool {
        session.rollBackOpenTransaction()
        return session.isIdle
    }

    /// Whether no body has left a transaction open, as can be told without waiting for the connection's thread.
    nonisolated var isAtRest: Bool { resting.withLock { $0 != nil } }

    /// Whether the connection rests and the server has sent nothing since, such as its farewell.
    nonisolated var isQuiet: Bool {
        guard let socket = resting.withLock({ $0 }) else { return false }
        var look = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&look, 1, 0) == 0
    }

    /// Looks, without a round trip, whether the server has closed the connection.
    package func isAlive() -> Bool {
        session.consumeInput()
    }

    /// Closes the connection; what runs afterwards throws `connectionLost`.
    package func close() {
        session.close()
    }
}
