/// Decides what happens to each delivery on its way: the cap of the day, then by the seed and the delivery's number.
struct DeliveryPlan: Sendable {
    enum Fate: Sendable, Equatable {
        /// Zoho silently drops what is over the cap (section 9.14).
        case refusedByCap
        case lost
        /// How late each copy leaves; two copies are a duplicate.
        case sent([Duration])
    }

    private let seed: UInt64
    private var ordinal = 0
    private var day = 0
    private var sentOnDay = 0

    init(seed: UInt64) { self.seed = seed }

    /// The fate of the next delivery, on the `day`th day of the organisation's calendar.
    mutating func next(_ settings: SimulatorConfiguration.Webhooks, day: Int) -> Fate {
        if day != self.day {
            self.day = day
            sentOnDay = 0
        }
        ordinal += 1
        if let cap = settings.callsPerDay, sentOnDay >= cap { return .refusedByCap }
        sentOnDay += 1
        var draw = Draw(seed: seed, kind: 92, index: ordinal)
        if draw.unit() < settings.loss { return .lost }
        let copies = draw.unit() < settings.duplicates ? 2 : 1
        return .sent(
            (0..<copies).map { _ in
                let isLate = draw.unit() < settings.reordering
                let share = 1 - draw.unit()
                return isLate ? settings.reorderingDelay * share : .zero
            })
    }
}
