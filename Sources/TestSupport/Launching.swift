import Synchronization

/// Starts one process at a time.
///
/// A child inherits every pipe that is open when it begins, also one that is just being made for another child, whose
/// end would then never be seen: so pipes are made and handed over within `body`.
package func launching<T: Sendable>(_ body: () throws -> T) throws -> T {
    try lock.withLock { _ in try body() }
}

private let lock = Mutex(())
