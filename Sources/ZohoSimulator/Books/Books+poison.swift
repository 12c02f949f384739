extension Books {
    /// Spoils some records, spread over their module, without a change of their time.
    mutating func poison(_ kinds: [SimulatorConfiguration.PoisonKind: Int]) {
        for kind in SimulatorConfiguration.PoisonKind.allCases {
            let (module, key, value) = kind.recipe
            let total = generator.count(module)
            var left = min(kinds[kind] ?? 0, total - overlays[module, default: [:]].count)
            var index = 5
            while left > 0 {
                index = (index + 97) % total
                while overlay(module, index) != nil { index = (index + 1) % total }
                edit(module, index, [key: value], now: nil)
                left -= 1
            }
        }
    }
}

extension SimulatorConfiguration.PoisonKind {
    fileprivate var recipe: (module: SimulatorModule, key: String, value: SimulatorValue) {
        switch self {
        case .zeroCharacter: (.items, "description", .json(#""Plank\u0000 met gat""#))
        case .loneSurrogate: (.contacts, "company_name", .json(#""Half \ud83d teken""#))
        case .unreadableTime: (.items, "last_modified_time", "yesterday")
        case .textForNumber: (.items, "rate", "abc")
        case .hugeNumber: (.items, "rate", .json("1" + String(repeating: "0", count: 400) + ".5"))
        case .displayDate: (.invoices, "date", "27 Dec 2016")
        }
    }
}
