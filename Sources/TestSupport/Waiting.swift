/// Looks again and again until something holds that another process, a server or a worker brings about and of which no
/// event tells.
///
/// The bound is there for what never comes, not for what comes late: no machine takes ten minutes.
///
/// - Throws: ``ConditionTimeout``.
package func waitUntil(_ what: String, _ holds: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(600)
    while try await !holds() {
        guard ContinuousClock.now < end else { throw ConditionTimeout(what: what) }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// What a test has waited for in vain.
package struct ConditionTimeout: Error, CustomStringConvertible {
    let what: String
    package var description: String { "Ten minutes have passed, and it does not hold: \(what)" }
}
