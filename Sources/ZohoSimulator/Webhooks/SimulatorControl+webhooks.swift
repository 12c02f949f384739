import Synchronization

extension SimulatorControl {
    /// The rules and the behaviour of webhooks; a change counts from the next call on.
    package var webhooks: SimulatorConfiguration.Webhooks {
        get { sender.settings.withLock { $0 } }
        set { sender.settings.withLock { $0 = newValue } }
    }

    /// What became of the webhooks so far.
    package var webhookStatistics: WebhookStatistics { sender.ledger.withLock { $0.statistics } }

    /// The deliveries that were acknowledged, in order of the answers; the newest of them if there were very many.
    package var acknowledgedDeliveries: [AcknowledgedDelivery] { sender.ledger.withLock { $0.acknowledged } }

    /// Deliveries that are neither acknowledged nor given up.
    package var unsettledDeliveries: Int { sender.queue.update { $0.unsettled } }

    /// Waits until traffic has been stopped and every delivery is acknowledged or given up.
    ///
    /// - Throws: `CancellationError`.
    package func settle() async throws {
        try await traffic.state.wait { $0.isIdle ? () : nil }
        try await sender.queue.wait { $0.unsettled == 0 ? () : nil }
    }

    /// What the rules for something that happened to a record send, made while `books` are as they were then.
    func deliveries(
        _ books: Books, _ module: SimulatorModule, _ index: Int, _ event: WebhookEvent
    ) -> [WebhookDelivery] {
        guard let watched = WebhookModule(module, isVendor: books.isVendor(module, index)) else { return [] }
        let urls = sender.urls(watched, event)
        if urls.isEmpty { return [] }
        let record = books.record(module, index)
        var time = JSONWriter(capacity: 32)
        time.timestamp(books.modified(module, index), calendar)
        let modified =
            books.text(module, index, "last_modified_time")
            ?? String(decoding: time.bytes.dropFirst().dropLast(), as: UTF8.self)
        return urls.map { url in
            WebhookDelivery(
                url: url, event: event, module: watched, id: id(module, at: index), lastModifiedTime: modified,
                recordStatus: books.status(module, index), rootKey: module.detailKey, record: record)
        }
    }

    /// Hands what rules fired to the sender.
    func send(_ deliveries: [WebhookDelivery]) {
        if deliveries.isEmpty { return }
        let day = calendar.dayNumber(of: Int(seconds))
        for delivery in deliveries { sender.submit(delivery, day: day) }
    }
}

extension Books {
    /// Whether a record is a contact and a vendor.
    func isVendor(_ module: SimulatorModule, _ index: Int) -> Bool {
        guard module == .contacts else { return false }
        return text(module, index, "contact_type").map { $0 == "vendor" } ?? Generator.isVendor(index)
    }
}
