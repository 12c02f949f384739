/// How long the server waits for its database before it says that it does not answer.
enum Deadline {
    /// For one query, such as whether a token is valid.
    static let query = Duration.seconds(2)
    /// For all that health asks.
    static let inspection = Duration.seconds(6)
    /// For what a route answers from the mirror.
    static let answer = Duration.seconds(10)
}
