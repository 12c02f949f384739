import AsyncAlgorithms
import Database
import Logging
import Mirror
import ServiceLifecycle
import Synchronization
import ZohoBooks

/// Counts what arrives and what is turned away, and keeps the counts in the mirror, so that a restart loses none.
final class ArrivalLog: Sendable {
    private struct Key: Hashable {
        let kind: Arrival.Kind
        let subject: String
        let day: String
    }

    private struct Count {
        var number = 0
        var lastAt: Int64 = 0
    }

    private let mirror: Mirror
    private let logger: Logger
    private let counts = Mutex<[Key: Count]>([:])

    /// A delivery must not cost a second transaction of its own.
    private static let interval = Duration.seconds(5)

    init(_ mirror: Mirror, logger: Logger) {
        self.mirror = mirror
        self.logger = logger
    }

    /// The present, in microseconds since 1970.
    func now() -> Int64 { mirror.now() }

    func note(_ kind: Arrival.Kind, _ subject: String) {
        let time = now()
        add(
            Key(kind: kind, subject: subject, day: String(Timestamp.text(time).prefix(10))),
            Count(number: 1, lastAt: time))
    }

    private func add(_ key: Key, _ count: Count) {
        counts.withLock { counts in
            let known = counts[key] ?? Count()
            counts[key] = Count(number: known.number + count.number, lastAt: max(known.lastAt, count.lastAt))
        }
    }

    /// Writes the counts to the mirror; keeps them where that fails.
    func flush() async throws {
        let taken = counts.withLock { counts in
            defer { counts = [:] }
            return counts
        }
        guard !taken.isEmpty else { return }
        let arrivals = taken.map { key, count in
            Arrival(kind: key.kind, subject: key.subject, day: key.day, number: count.number, lastAt: count.lastAt)
        }
        do {
            try await uncancelled { [mirror] in try await mirror.add(arrivals) }
        } catch {
            for (key, count) in taken { add(key, count) }
            throw error
        }
    }

    /// Writes the counts to the mirror every few seconds, and once more when the program shuts down.
    func run() async throws {
        for await _ in AsyncTimerSequence(interval: Self.interval, clock: .continuous).cancelOnGracefulShutdown() {
            await flushOrWarn()
        }
        await flushOrWarn()
    }

    private func flushOrWarn() async {
        do {
            try await flush()
        } catch {
            logger.warning("Arriving webhooks cannot be counted in the mirror", metadata: ["error": "\(error)"])
        }
    }
}
