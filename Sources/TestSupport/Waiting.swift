/// Polls until something holds that another process, a server or a worker brings about without an event.
///
/// The bound of ten minutes is for what never happens: no machine is that slow.
///
/// - Throws: ``ConditionTimeout``.
package func waitUntil(_ what: String, _ holds: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(600)
    while try await !holds() {
        guard ContinuousClock.now < end else { throw ConditionTimeout(what: what) }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// The condition that did not come to hold in time.
package struct ConditionTimeout: Error, CustomStringConvertible {
    let what: String
    package var description: String { "Ten minutes have passed, and it does not hold: \(what)" }
}
