/// How long the server waits for its database before it reports that it does not answer.
enum Deadline {
    /// For one query, such as whether a token is valid.
    static let query = Duration.seconds(2)
    /// For all health checks together.
    static let inspection = Duration.seconds(6)
    /// For the answer of a route that reads the mirror.
    static let answer = Duration.seconds(10)
}
