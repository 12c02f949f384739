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
    private struct Waiting {
        let deliveries: [NewDelivery]
        let stored: CheckedContinuation<[Int64], any Error>

        var bytes: Int { deliveries.reduce(0) { $0 + $1.bytes } }
    }

    private struct State {
        var waiting: [Waiting] = []
        /// Of all that wait.
        var bytes = 0
        var isClosed = false
    }

    private let mirror: Mirror
    private let state = Mutex(State())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// Requests in one transaction at most.
    private static let groupSize = 500
    /// Requests that may wait; more are refused, so that Zoho tries again instead of memory running out.
    private static let capacity = 10_000
    /// Bytes that may wait, for the same reason.
    private let byteCapacity: Int

    /// - Parameter byteCapacity: bytes that may wait to be stored; more are refused.
    package init(_ mirror: Mirror, byteCapacity: Int = 64 << 20) {
        self.mirror = mirror
        self.byteCapacity = byteCapacity
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Stores what one request has delivered, all or none.
    ///
    /// - Returns: the id of each: in the inbox, or of the dead letter that it became.
    /// - Throws: whatever keeps them from being stored; none is stored then.
    package func store(_ deliveries: [NewDelivery]) async throws -> [Int64] {
        try await withCheckedThrowingContinuation { continuation in
            let waiting = Waiting(deliveries: deliveries, stored: continuation)
            let isTaken = state.withLock { state in
                guard !state.isClosed, state.waiting.count < Self.capacity,
                    state.bytes + waiting.bytes <= byteCapacity
                else { return false }
                state.waiting.append(waiting)
                state.bytes += waiting.bytes
                return true
            }
            guard isTaken else { return continuation.resume(throwing: InboxFull()) }
            wake.yield()
        }
    }

    /// Stores what comes until the program shuts down, and then what still waits.
    package func run() async throws {
        for await _ in wakes.cancelOnGracefulShutdown() { await storeWaiting() }
        state.withLock { $0.isClosed = true }
        await storeWaiting()
    }

    private func storeWaiting() async {
        while true {
            let group = state.withLock { state in
                let group = state.waiting.prefix(Self.groupSize)
                state.waiting.removeFirst(group.count)
                return Array(group)
            }
            if group.isEmpty { return }
            do {
                let ids = try await store(group)
                var rest = ids[...]
                for waiting in group {
                    waiting.stored.resume(returning: Array(rest.prefix(waiting.deliveries.count)))
                    rest = rest.dropFirst(waiting.deliveries.count)
                }
            } catch let error as DatabaseError where error.kind == .record && group.count > 1 {
                // One that the database refuses must not cost the others.
                for waiting in group { await storeAlone(waiting) }
            } catch {
                for waiting in group { waiting.stored.resume(throwing: error) }
            }
        }
    }

    private func store(_ group: [Waiting]) async throws -> [Int64] {
        // What is on its way to the disk is still in memory.
        defer { state.withLock { $0.bytes -= group.reduce(0) { $0 + $1.bytes } } }
        return try await uncancelled { [mirror] in try await mirror.store(group.flatMap(\.deliveries)) }
    }

    private func storeAlone(_ waiting: Waiting) async {
        do {
            waiting.stored.resume(
                returning: try await uncancelled { [mirror] in try await mirror.store(waiting.deliveries) })
        } catch {
            waiting.stored.resume(throwing: error)
        }
    }
}

/// Why a delivery is not taken.
package struct InboxFull: Error, CustomStringConvertible {
    package let description = "Too many deliveries wait to be stored, or the server is stopping."
}
