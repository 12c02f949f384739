import CLibPQ

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What a `NOTIFY` brought.
package struct PostgresNotification: Sendable, Hashable {
    /// The channel's name.
    package let channel: String
    /// The text sent along, or empty.
    package let payload: String
}

extension PostgresSession {
    /// How long a cancelled task goes unnoticed while it waits, in milliseconds.
    private static let attention: Int32 = 250

    /// Subscribes to a channel for as long as the connection lives.
    package func listen(to channel: String) throws(PostgresError) {
        try execute("LISTEN \"\(channel.replacing("\"", with: "\"\""))\"")
    }

    /// Waits for the next notification; nil when none came in time.
    ///
    /// - Throws: `connectionLost`, or, within a quarter of a second, that the task was cancelled.
    package func nextNotification(within timeout: Duration) throws(PostgresError) -> PostgresNotification? {
        let end = ContinuousClock.now + timeout
        while true {
            if let notification = try takeNotification() { return notification }
            let rest = Int32(clamping: Int64((end - .now) / .milliseconds(1)))
            guard rest > 0 else { return nil }
            try statement { link throws(PostgresError) in
                var descriptor = pollfd(fd: PQsocket(link), events: Int16(POLLIN), revents: 0)
                _ = poll(&descriptor, 1, min(rest, Self.attention))
            }
        }
    }

    private func takeNotification() throws(PostgresError) -> PostgresNotification? {
        try statement { link throws(PostgresError) in
            guard consumeInput() else { throw PostgresError(result: nil, link: link) }
            guard let notification = PQnotifies(link) else { return nil }
            defer { PQfreemem(notification) }
            return PostgresNotification(
                channel: String(cString: notification.pointee.relname),
                payload: String(cString: notification.pointee.extra))
        }
    }
}
