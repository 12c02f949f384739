/// What workflow rules watch (section 8.1): price lists have no webhooks, and contacts are customers or vendors.
package enum WebhookModule: String, Sendable, CaseIterable, Hashable {
    case items
    case customers
    case vendors
    case invoices
    case bills
    case creditnotes
    case salesorders
    case purchaseorders
    case customerpayments

    /// The module of a record; nil for one without webhooks.
    init?(_ module: SimulatorModule, isVendor: Bool) {
        switch module {
        case .contacts: self = isVendor ? .vendors : .customers
        default: self.init(rawValue: module.rawValue)
        }
    }

    /// Where a receiver takes the module's webhooks, below the address of all; nil for one that has no place there.
    package var path: String? {
        switch self {
        case .items: "products"
        case .customers, .vendors, .invoices, .bills: rawValue
        case .creditnotes: "credit-notes"
        case .salesorders: "orders"
        case .customerpayments: "payments"
        case .purchaseorders: nil
        }
    }
}

/// What happened to a record; the body does not tell (section 8.3).
package enum WebhookEvent: String, Sendable, CaseIterable, Hashable {
    case created
    case edited
    case deleted
}

/// A workflow rule whose action is a webhook.
package struct WebhookRule: Sendable, Hashable {
    /// The records that fire it.
    package var module: WebhookModule
    /// What must happen to them.
    package var events: Set<WebhookEvent>
    /// Where the webhook goes, with its query parameters, whose keys may not repeat.
    package var url: String

    /// A rule for some events, or all.
    package init(
        _ module: WebhookModule, _ events: Set<WebhookEvent> = Set(WebhookEvent.allCases), url: String
    ) {
        self.module = module
        self.events = events
        self.url = url
    }

    /// A rule for every module and event, each with its own path below a base such as
    /// `http://127.0.0.1:8080/api/zoho/webhooks`.
    package static func all(below base: String) -> [WebhookRule] {
        let base = base.hasSuffix("/") ? String(base.dropLast()) : base
        return WebhookModule.allCases.compactMap { module in
            module.path.map { WebhookRule(module, url: "\(base)/\($0)") }
        }
    }
}
