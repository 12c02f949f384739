/// What the traffic does next, from the seed and the number of the change alone.
struct TrafficPlan: Sendable {
    enum Change: Sendable, Equatable {
        case create
        case delete
        case stock(Double)
        case edit([String: SimulatorValue])
    }

    private let seed: UInt64
    private let modules: [SimulatorModule]

    /// Traffic in the modules that have records.
    init(_ configuration: SimulatorConfiguration) {
        seed = configuration.seed
        modules = Self.weights.flatMap { module, weight in
            (configuration.counts[module] ?? 0) > 0 ? Array(repeating: module, count: weight) : []
        }
    }

    /// How often in a hundred a change is of each module.
    private static let weights: [(SimulatorModule, Int)] = [
        (.items, 40), (.contacts, 20), (.invoices, 20), (.salesorders, 8), (.bills, 5), (.customerpayments, 4),
        (.creditnotes, 3),
    ]

    /// The `ordinal`th change: of which module, of which record among `candidates` of them, and what.
    ///
    /// Nil if no module has records. Zoho keeps contacts that have documents, so contacts are never deleted.
    func change(
        _ ordinal: Int, candidates: (SimulatorModule) -> Int
    ) -> (module: SimulatorModule, candidate: Int, change: Change)? {
        if modules.isEmpty { return nil }
        var draw = Draw(seed: seed, kind: 93, index: ordinal)
        let module = draw.pick(modules)
        let candidate = draw.below(max(1, candidates(module)))
        let change: Change =
            switch draw.below(100) {
            case 0..<3: .create
            case 3..<5 where module != .contacts: .delete
            default: Self.edit(module, ordinal, &draw)
            }
        return (module, candidate, change)
    }

    private static func edit(_ module: SimulatorModule, _ ordinal: Int, _ draw: inout Draw) -> Change {
        let choice = draw.below(10)
        switch (module, choice) {
        case (.items, 0..<4): return .stock(Double(draw.below(2_000)) / 2)
        case (.items, 4..<8): return .edit(["rate": cents(100 + draw.below(50_000))])
        case (.items, _): return .edit(["description": .string("Gewijzigd \(ordinal)")])
        case (.contacts, 0): return .edit(["status": draw.chance(50) ? "inactive" : "active"])
        case (.contacts, 1..<5): return .edit(["mobile": .string("+31 6 \(10_000_000 + draw.below(90_000_000))")])
        case (.contacts, _): return .edit(["notes": .string("Gebeld, \(ordinal)")])
        case (.invoices, 0..<4): return .edit(["status": "paid", "balance": 0.0])
        case (.customerpayments, _): return .edit(["description": .string("Boeking \(ordinal)")])
        default: return .edit(["reference_number": .string("Ref. \(ordinal)")])
        }
    }

    private static func cents(_ value: Int) -> SimulatorValue {
        var writer = JSONWriter(capacity: 16)
        writer.hundredths(value)
        return SimulatorValue(json: writer.bytes)
    }
}

/// How many changes are due: spread evenly from a start, many at a time when there are very many.
struct TrafficPace: Sendable {
    /// Changes a second.
    let perSecond: Double

    /// Changes made together; a timer is not asked more than 500 times a second.
    var batch: Int { max(1, Int(perSecond / 500)) }

    /// When the change after `count` others is due, since the start.
    func due(after count: Int) -> Duration { .seconds(Double(count) / perSecond) }
}
