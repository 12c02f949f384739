/// What can go wrong with one call (section 11.2.10).
package enum SimulatorFault: String, Sendable, CaseIterable, Hashable {
    /// HTTP 500 with code 1000.
    case internalError = "internal-error"
    /// HTTP 502 with an HTML page.
    case badGateway = "bad-gateway"
    /// HTTP 200 with half of the body; the length header tells that half, so the JSON is what is broken.
    case truncatedBody = "truncated-body"
    /// HTTP 200 with no body at all.
    case emptyBody = "empty-body"
    /// The right answer after ``SimulatorConfiguration/slowAnswer``.
    case slowAnswer = "slow-answer"
    /// The connection is reset without an answer.
    case connectionReset = "connection-reset"
    /// The connection is closed in the middle of a body whose length header promised more.
    case connectionLost = "connection-lost"
    /// HTTP 200 with a code that is not 0.
    case errorInSuccess = "error-in-success"
    /// HTTP 404 with code 5, as for a path that does not exist.
    case unknownPath = "unknown-path"
    /// A row of a list stands there twice.
    case duplicateRows = "duplicate-rows"
    /// Some rows of a list have no `last_modified_time`.
    case missingModifiedTime = "missing-modified-time"
}

/// Decides which call meets which fault: scripted ones first, then by the seed and the number of the call.
struct FaultPlan: Sendable {
    private struct Script: Sendable {
        let prefix: String
        let fault: SimulatorFault
        var left: Int
    }

    private let seed: UInt64
    private let probabilities: [(fault: SimulatorFault, probability: Double)]
    private var scripts: [Script] = []

    init(seed: UInt64, probabilities: [SimulatorFault: Double]) {
        self.seed = seed
        self.probabilities = SimulatorFault.allCases.compactMap { fault in
            probabilities[fault].map { (fault, $0) }
        }
    }

    /// Gives the next `count` calls whose path starts with `prefix` a fault.
    mutating func script(_ fault: SimulatorFault, prefix: String, count: Int) {
        scripts.append(Script(prefix: prefix, fault: fault, left: count))
    }

    /// The fault of the `ordinal`th call of the API since the start.
    mutating func fault(path: String, ordinal: Int) -> SimulatorFault? {
        if let place = scripts.firstIndex(where: { $0.left > 0 && path.hasPrefix($0.prefix) }) {
            scripts[place].left -= 1
            let fault = scripts[place].fault
            scripts.removeAll { $0.left == 0 }
            return fault
        }
        guard !probabilities.isEmpty else { return nil }
        var draw = Draw(seed: seed, kind: 91, index: ordinal)
        var rest = draw.unit()
        for (fault, probability) in probabilities {
            if rest < probability { return fault }
            rest -= probability
        }
        return nil
    }
}
