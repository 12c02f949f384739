/// How often each path was called since the start.
package struct CallStatistics: Sendable, Equatable {
    /// Calls of the API, including refused ones.
    package internal(set) var calls = 0
    /// Calls by path, with `{id}` in place of ids: `/items/{id}`.
    package internal(set) var callsByPath: [String: Int] = [:]
    /// Requests to the token endpoint.
    package internal(set) var tokenRequests = 0
    /// Answers of the API by HTTP status; a reset connection has none.
    package internal(set) var answersByStatus: [Int: Int] = [:]
    /// Faults that calls met.
    package internal(set) var faults: [SimulatorFault: Int] = [:]
    /// The most calls that were in flight at once, of those that passed the limits.
    package internal(set) var largestInFlight = 0
}
