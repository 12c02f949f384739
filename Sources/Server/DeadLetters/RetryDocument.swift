package import Mirror

/// The result of retrying dead letters, as JSON for machines: how many had each outcome, 0 included.
package struct RetryDocument: Encodable, Sendable {
    /// By outcome; `queued` for those that wait in the inbox again.
    package let outcomes: [String: Int]

    package init(_ outcomes: [DeadLetter.Retry: Int]) {
        var named = Dictionary(uniqueKeysWithValues: Self.names.map { ($0, 0) })
        for (outcome, number) in outcomes { named[outcome.text] = number }
        self.outcomes = named
    }

    static let names = Outcome.allCases.map { DeadLetter.Retry.applied($0).text } + [DeadLetter.Retry.queued.text]
}
