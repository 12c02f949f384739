import Synchronization

/// The calls that this client has under way, and those of its calls that wait until one of them ends.
///
/// First come, first served. A free place wakes one waiter, so that nobody has to ask again and again.
final class Places: Sendable {
    private struct State {
        var taken = 0
        /// Counts what was freed, so that a place freed before a waiter stands in line is not lost on it.
        var freed = 0
        var next = 0
        var line: [(number: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    /// How many places this client holds.
    var taken: Int { state.withLock { $0.taken } }
    /// How many places were freed so far.
    var freed: Int { state.withLock { $0.freed } }
    /// How many calls wait.
    var waiting: Int { state.withLock { $0.line.count } }

    func take() { state.withLock { $0.taken += 1 } }

    /// Gives a place back and wakes who is first in line.
    func free() {
        state.withLock { $0.taken -= 1 }
        wakeNext()
    }

    /// Wakes who is first in line; also called by who was woken and could not use the place.
    func wakeNext() {
        let first = state.withLock { state in
            state.freed += 1
            return state.line.isEmpty ? nil : state.line.removeFirst()
        }
        first?.continuation.resume()
    }

    /// Waits until a place is freed after `count` of them were, or until the task is cancelled.
    func wait(after count: Int) async {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.freed != count || Task.isCancelled { return true }
                    state.line.append((number, continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let abandoned = state.withLock { state in
                state.line.firstIndex { $0.number == number }.map { state.line.remove(at: $0) }
            }
            abandoned?.continuation.resume()
        }
    }
}
