package import Logging

/// The notifications of some channels, over a connection of its own that is opened again whenever it is lost.
///
///     for await event in PostgresListener(configuration, channels: ["inbox"], logger: logger) {
///         await work.lookForMore()
///     }
///
/// The sequence ends when its task is cancelled. Each iteration listens by itself.
package struct PostgresListener: AsyncSequence, Sendable {
    /// What a listener learns.
    package enum Event: Sendable, Hashable {
        /// It listens from now on; what was notified before is lost, so look once.
        case connected
        /// Somebody notified.
        case notification(PostgresNotification)
    }

    private let configuration: PostgresConfiguration
    private let channels: [String]
    private let clock: any Clock<Duration>
    private let logger: Logger

    /// Makes a listener without connecting.
    ///
    /// - Parameter clock: measures the pauses between attempts to connect: a quarter of a second, doubled up to 30 s.
    package init(
        _ configuration: PostgresConfiguration, channels: [String], clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger
    ) {
        self.configuration = configuration
        self.channels = channels
        self.clock = clock
        self.logger = logger
    }

    /// Starts to listen with the first call of `next()`.
    package func makeAsyncIterator() -> Iterator {
        Iterator(listener: self)
    }

    /// One listening connection.
    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let listener: PostgresListener
        private var connection: PostgresConnection?
        private var pause = firstPause

        private static let firstPause = Duration.milliseconds(250)
        private static let longestPause = Duration.seconds(30)

        fileprivate init(listener: PostgresListener) {
            self.listener = listener
        }

        /// The next event, or nil when the task is cancelled.
        package mutating func next() async -> Event? {
            while !Task.isCancelled {
                do {
                    if let connection {
                        let notification = try await connection.run { try $0.nextNotification(within: .seconds(60)) }
                        if let notification { return .notification(notification) }
                    } else {
                        connection = try await listener.connect()
                        pause = Self.firstPause
                        return .connected
                    }
                } catch {
                    await connection?.close()
                    connection = nil
                    await rest(after: error)
                }
            }
            return nil
        }

        private mutating func rest(after error: any Error) async {
            guard !Task.isCancelled else { return }
            listener.logger.debug("PostgreSQL listener disconnected", metadata: ["error": "\(error)"])
            // Only a cancellation ends the pause early, and `next` looks for that.
            try? await listener.clock.sleep(for: pause)
            pause = Swift.min(pause * 2, Self.longestPause)
        }
    }

    private func connect() async throws -> PostgresConnection {
        let connection = try await PostgresConnection.open(configuration, logger: logger)
        try await connection.run { session in
            for channel in channels { try session.listen(to: channel) }
        }
        return connection
    }
}
