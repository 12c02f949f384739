import Foundation
import Synchronization

/// A time that passes only where somebody sleeps or the test says so.
final class ManualTime: Sendable {
    private struct State {
        var now = Date(timeIntervalSince1970: 1_772_000_000)
        var sleeps: [Duration] = []
    }

    private let state = Mutex(State())

    var now: Date { state.withLock { $0.now } }
    /// How long was slept, in order.
    var sleeps: [Duration] { state.withLock { $0.sleeps } }

    func advance(by seconds: Double) { state.withLock { $0.now.addTimeInterval(seconds) } }

    /// Is over at once, and so is the time.
    func sleep(_ duration: Duration) async throws {
        try Task.checkCancellation()
        state.withLock { state in
            state.sleeps.append(duration)
            state.now.addTimeInterval(duration / .seconds(1))
        }
        await Task.yield()
    }
}

/// Opens once; whoever waits goes on then.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

/// A value that several tasks change.
final class Shared<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    init(_ value: Value) { state = Mutex(value) }

    var value: Value { state.withLock { $0 } }
    func set(_ value: Value) { state.withLock { $0 = value } }
    func change<T: Sendable>(_ body: @Sendable (inout Value) -> T) -> T { state.withLock { body(&$0) } }
}

/// Lets other tasks work until something holds; a test's own time limit ends what never does.
func until(_ holds: () async throws -> Bool) async throws {
    while try await !holds() {
        try Task.checkCancellation()
        await Task.yield()
    }
}
