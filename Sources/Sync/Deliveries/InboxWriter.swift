import Database
package import Mirror
import ServiceLifecycle
import Synchronization
import ZohoBooks

/// Stores deliveries durably, many in one transaction where many come at once.
///
/// A delivery is stored when ``store(_:)`` returns. While one group is on its way to the disk the next one gathers, so
/// that a single delivery waits for nobody and a thousand cost little more than one.
package final class InboxWriter: Sendable {
    private struct State {
        var waiting: [WaitingDeliveries] = []
        /// Those on their way to the disk.
        var group: [WaitingDeliveries] = []
        /// Of all waiting deliveries and of those on their way to the disk.
        var bytes = 0
        /// Seconds for which this writer has run.
        var seconds = 0
        /// The second in which the group set out; nil where none is on its way.
        var departedAt: Int?
        var isClosed = false
    }

    private let mirror: Mirror
    private let clock: any Clock<Duration>
    private let state = Mutex(State())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// Requests in one transaction at most.
    private static let groupSize = 500
    /// Requests that may wait; more are refused, so that Zoho tries again instead of memory running out.
    private static let capacity = 10_000
    /// Seconds after which a request that is not stored yet is refused: Zoho waits for 10.
    package static let timeout = 6
    /// Bytes that may wait, for the same reason.
    private let byteCapacity: Int

    /// - Parameters:
    ///   - byteCapacity: bytes that may wait to be stored; further requests are refused.
    ///   - clock: measures how long the database takes.
    package init(_ mirror: Mirror, byteCapacity: Int = 64 << 20, clock: any Clock<Duration> = ContinuousClock()) {
        self.mirror = mirror
        self.byteCapacity = byteCapacity
        self.clock = clock
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Stores the deliveries of one request, all or none.
    ///
    /// - Returns: the id of each: in the inbox, or of the dead letter that it became.
    /// - Throws: what kept them from being stored in time, such as ``InboxFull`` or ``DatabaseTimeout``. What is stored
    ///   too late comes twice, which is harmless.
    package func store(_ deliveries: [NewDelivery]) async throws -> [Int64] {
        try await withCheckedThrowingContinuation { continuation in
            let refusal = state.withLock { state -> (any Error)? in
                if let departedAt = state.departedAt, state.seconds - departedAt >= Self.timeout {
                    return DatabaseTimeout()
                }
                let waiting = WaitingDeliveries(deliveries, since: state.seconds, continuation)
                guard !state.isClosed, state.waiting.count < Self.capacity,
                    state.bytes + waiting.bytes <= byteCapacity
                else { return InboxFull() }
                state.waiting.append(waiting)
                state.bytes += waiting.bytes
                return nil
            }
            if let refusal { return continuation.resume(throwing: refusal) }
            wake.yield()
        }
    }

    /// Stores what comes until the program shuts down, and then what still waits.
    package func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.refuseLate() }
            for await _ in wakes.cancelOnGracefulShutdown() { await storeWaiting() }
            state.withLock { $0.isClosed = true }
            await storeWaiting()
            group.cancelAll()
        }
    }

    /// Refuses what has waited too long, whether or not the database answers.
    private func refuseLate() async {
        while (try? await clock.sleep(for: .seconds(1))) != nil {
            let late = state.withLock { state in
                state.seconds += 1
                let limit = state.seconds - Self.timeout
                let late = state.waiting.prefix { $0.since <= limit }
                state.waiting.removeFirst(late.count)
                state.bytes -= late.reduce(0) { $0 + $1.bytes }
                return late + state.group.prefix { $0.since <= limit }
            }
            for waiting in late { waiting.end(.failure(DatabaseTimeout())) }
        }
    }

    private func storeWaiting() async {
        while true {
            let group = state.withLock { state in
                state.group = Array(state.waiting.prefix(Self.groupSize))
                state.waiting.removeFirst(state.group.count)
                state.departedAt = state.group.isEmpty ? nil : state.seconds
                return state.group
            }
            if group.isEmpty { return }
            do {
                var ids = try await commit(group.flatMap(\.deliveries))[...]
                for waiting in group {
                    waiting.end(.success(Array(ids.prefix(waiting.deliveries.count))))
                    ids = ids.dropFirst(waiting.deliveries.count)
                }
            } catch let error as DatabaseError where error.kind == .record && group.count > 1 {
                // One that the database refuses must not cost the others.
                for waiting in group { await storeAlone(waiting) }
            } catch {
                for waiting in group + (Task.isCancelled ? takeWaiting() : []) { waiting.end(.failure(error)) }
            }
            // What is on its way to the disk is still in memory.
            state.withLock { $0.bytes -= group.reduce(0) { $0 + $1.bytes } }
        }
    }

    /// Takes all that wait, where there is no time for another group.
    private func takeWaiting() -> [WaitingDeliveries] {
        state.withLock { state in
            defer { state.waiting = [] }
            state.bytes -= state.waiting.reduce(0) { $0 + $1.bytes }
            return state.waiting
        }
    }

    private func storeAlone(_ waiting: WaitingDeliveries) async {
        do {
            waiting.end(.success(try await commit(waiting.deliveries)))
        } catch {
            waiting.end(.failure(error))
        }
    }

    /// A shutdown has waited for long before it cancels this.
    private func commit(_ deliveries: [NewDelivery]) async throws -> [Int64] {
        try await uncancelled(for: .seconds(1)) { [mirror] in try await mirror.store(deliveries) }
    }
}

/// What one request has delivered, until the request is answered.
private final class WaitingDeliveries: Sendable {
    let deliveries: [NewDelivery]
    let bytes: Int
    /// The second in which it came.
    let since: Int
    private let stored: Mutex<CheckedContinuation<[Int64], any Error>?>

    init(_ deliveries: [NewDelivery], since: Int, _ stored: CheckedContinuation<[Int64], any Error>) {
        self.deliveries = deliveries
        self.since = since
        bytes = deliveries.reduce(0) { $0 + $1.bytes }
        self.stored = Mutex(stored)
    }

    /// Answers the request; only the first answer counts.
    func end(_ result: Result<[Int64], any Error>) {
        let continuation = stored.withLock { stored in
            defer { stored = nil }
            return stored
        }
        continuation?.resume(with: result)
    }
}

/// Why a delivery is refused: too many wait, or the server is stopping.
package struct InboxFull: Error, CustomStringConvertible {
    package let description = "Too many deliveries are waiting to be stored, or the server is stopping."
}

/// Why a delivery is refused: the database did not store it in time.
package struct DatabaseTimeout: Error, CustomStringConvertible {
    package let description = "The database did not answer in time."
}
