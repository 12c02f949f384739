import CLibPQ
import Dispatch
import Synchronization

/// Lets another thread cancel the statement that a connection is waiting for, and no other.
///
/// A request that reaches an idle server is lost, so it is repeated until the body it was meant for has ended. It is
/// sent under the lock that a statement takes to end, so it can never hit the statement after.
final class StatementInterrupt: Sendable {
    // Unchecked: libpq allows PQcancel from any thread, and the lock keeps it apart from PQfreeCancel.
    private struct Handle: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private struct State {
        var handle: Handle?
        var lastRun = 0
        var currentRun: Int?
        var isInStatement = false
    }

    private let state = Mutex(State())

    /// Takes the means to cancel from a link that has just connected.
    func attach(to link: OpaquePointer) {
        let handle = Handle(pointer: PQgetCancel(link))
        state.withLock { $0.handle = handle }
    }

    /// Gives the means to cancel back, before the link is finished.
    func detach() {
        state.withLock { state in
            PQfreeCancel(state.handle?.pointer)
            state.handle = nil
        }
    }

    /// The number of a body that is about to run.
    func nextRun() -> Int {
        state.withLock { state in
            state.lastRun += 1
            return state.lastRun
        }
    }

    func enter(run: Int) {
        state.withLock { $0.currentRun = run }
    }

    func leaveRun() {
        state.withLock { $0.currentRun = nil }
    }

    func enterStatement() {
        state.withLock { $0.isInStatement = true }
    }

    func leaveStatement() {
        state.withLock { $0.isInStatement = false }
    }

    /// Cancels what the body runs, now and for as long as it goes on; returns at once.
    func cancel(run: Int) {
        send(run, after: .zero, then: .milliseconds(10))
    }

    private func send(_ run: Int, after delay: Duration, then next: Duration) {
        let nanoseconds = Int(delay / .nanoseconds(1))
        // PQcancel connects and waits: off the cooperative pool, on which a cancellation handler may run.
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) {
            let isRunning = self.state.withLock { state in
                guard state.currentRun == run, let cancel = state.handle?.pointer else { return false }
                if state.isInStatement {
                    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { reason in
                        _ = PQcancel(cancel, reason.baseAddress, 256)
                    }
                }
                return true
            }
            if isRunning { self.send(run, after: next, then: min(next * 2, .seconds(1))) }
        }
    }
}
