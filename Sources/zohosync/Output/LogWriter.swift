import Dispatch
import Synchronization

/// Writes the log's lines on a thread of its own, one after the other.
///
/// A reader may stop reading without closing the pipe. Only that thread waits for it, and what does not fit into the
/// buffer then is dropped and counted.
final class LogWriter: Sendable {
    /// Standard error's.
    static let standardError = LogWriter(capacity: 1 << 20) { Console.note($0) }

    private struct State {
        /// Bytes of the lines that wait and the one that is being written.
        var bytes = 0
        var dropped = 0
    }

    /// Bytes of lines that may wait.
    private let capacity: Int
    /// Writes a text, for as long as that may take.
    private let sink: @Sendable (String) -> Void
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "log")

    init(capacity: Int, sink: @escaping @Sendable (String) -> Void) {
        self.capacity = capacity
        self.sink = sink
    }

    /// Hands a line over without waiting.
    ///
    /// - Parameter lost: the line that says how many were dropped, written when there is room again.
    func write(_ line: String, lost: @escaping @Sendable (_ number: Int) -> String) {
        let size = line.utf8.count
        state.withLock { state in
            guard state.bytes + size <= capacity else {
                state.dropped += 1
                return
            }
            state.bytes += size
            // Within the lock, so that lines come in the order in which they were taken.
            queue.async { [self] in
                sink(line + "\n")
                let dropped = self.state.withLock { state in
                    state.bytes -= size
                    defer { state.dropped = 0 }
                    return state.dropped
                }
                if dropped > 0 { sink(lost(dropped) + "\n") }
            }
        }
    }

    /// Waits until everything that was handed over is written, but not for long: nobody may be reading any more.
    func flush(for bound: DispatchTimeInterval = .seconds(2)) {
        let written = DispatchSemaphore(value: 0)
        queue.async { written.signal() }
        _ = written.wait(timeout: .now() + bound)
    }
}
