/// The deliveries that are not settled yet: those to send, first in, first out, and how many are elsewhere.
struct DeliveryQueue: Sendable {
    private var waiting: [WebhookDelivery] = []
    /// Where the first of them stands; what was before it is taken out at times.
    private var first = 0
    private(set) var inFlight = 0
    /// Deliveries that wait for their time.
    private(set) var late = 0

    /// All that is neither acknowledged nor given up.
    var unsettled: Int { waiting.count - first + inFlight + late }

    mutating func add(_ delivery: WebhookDelivery) { waiting.append(delivery) }

    /// The next delivery to send, or to wait for, unless as many as allowed are being sent; nil if there is none.
    mutating func take(concurrency: Int) -> WebhookDelivery? {
        guard first < waiting.count, inFlight < concurrency else { return nil }
        let delivery = waiting[first]
        first += 1
        if first > 1_024, first * 2 > waiting.count {
            waiting.removeFirst(first)
            first = 0
        }
        if delivery.delay > .zero { late += 1 } else { inFlight += 1 }
        return delivery
    }

    /// A delivery that was taken has been acknowledged or given up.
    mutating func settle() { inFlight -= 1 }

    /// A delivery that was being sent waits for its next try.
    mutating func postpone() {
        inFlight -= 1
        late += 1
    }

    /// A delivery that waited for its time goes to the end of the queue.
    mutating func resume(_ delivery: WebhookDelivery) {
        late -= 1
        waiting.append(delivery)
    }
}
