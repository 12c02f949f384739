import Foundation
import Logging

/// What a client takes from outside, so that tests decide about it: time, chance and the log.
struct ClientEnvironment: Sendable {
    let now: @Sendable () -> Date
    let sleep: @Sendable (Duration) async throws -> Void
    /// From 0 up to 1.
    let random: @Sendable () -> Double
    let logger: Logger
}
