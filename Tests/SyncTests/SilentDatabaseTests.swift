import Database
import Dispatch
import Mirror
import TestSupport
import Testing
import ZohoBooks

@testable import Sync

@Suite("A database that does not answer in time")
struct SilentDatabaseTests {
    private static func delivery(_ id: String) -> NewDelivery {
        NewDelivery(
            entity: "products", content: .readable(.mark, zohoID: id, record: nil), receivedAt: 0, requestID: nil)
    }

    @Test("What is not stored in time is refused until the database answers", arguments: Engine.allCases)
    func storing(engine: Engine) async throws {
        try await withMirror(engine) { mirror in
            let clock = ManualClock()
            let writer = InboxWriter(mirror, clock: clock)
            let running = Task { try await writer.run() }
            let (locks, lock) = AsyncStream.makeStream(of: Never.self)
            let release = DispatchSemaphore(value: 0)
            let holding = Task {
                try await mirror.database.write { transaction in
                    if engine == .postgres { try transaction.script("lock table sync_inbox") }
                    lock.finish()
                    release.wait()
                }
            }
            for await _ in locks {}
            let ticking = Task { while !Task.isCancelled { try await clock.advance() } }
            await #expect(throws: DatabaseTimeout.self) { try await writer.store([Self.delivery("1")]) }
            await #expect(throws: DatabaseTimeout.self) { try await writer.store([Self.delivery("2")]) }
            ticking.cancel()
            _ = await ticking.result
            release.signal()
            try await holding.value
            try await waitUntil("deliveries are stored again") {
                do {
                    return try await writer.store([Self.delivery("3")]).count == 1
                } catch is DatabaseTimeout {
                    return false
                }
            }
            #expect(try await mirror.inboxDepth().count >= 1)
            running.cancel()
            _ = await running.result
        }
    }

    @Test("What may not be cancelled has some time when the caller is, and is then not waited for")
    func timeout() async throws {
        let clock = ManualClock()
        let (starts, start) = AsyncStream.makeStream(of: Never.self)
        let (ends, end) = AsyncStream.makeStream(of: Never.self)
        let work = Task {
            try await uncancelled(clock: clock) {
                start.finish()
                // In a task of its own, which nobody cancels.
                await Task { for await _ in ends {} }.value
                return Task.isCancelled
            }
        }
        for await _ in starts {}
        work.cancel()
        try await clock.advance()
        try await clock.advance()
        await #expect(throws: CancellationError.self) { try await work.value }
        end.finish()
    }
}
