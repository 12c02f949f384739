extension SimulatorConfiguration {
    /// Which webhooks the organisation sends, what they look like, and what goes wrong on their way (section 8).
    package struct Webhooks: Sendable {
        /// The workflow rules; a change fires each that matches it.
        package var rules: [WebhookRule] = []

        /// What signs the calls; nil leaves the signature out.
        package var secret: String?
        /// How the signature is written; nil leaves it out.
        package var signature: WebhookSignature.Encoding? = .hex
        /// Headers that every call carries, such as `X-Webhook-Key`.
        package var headers: [String: String] = [:]
        /// How the body is sent.
        package var body = Body.default
        /// Whether the address gets `event=created`, `edited` or `deleted`.
        package var namesEvent = false
        /// The root key of a customer payment, which is uncertain: `payment` or `customer_payment` (section 8.3).
        package var paymentKey = "payment"
        /// Whether, and as what, `organization_id` stands beside the root key.
        package var organizationID: OrganizationID?
        /// Whether bodies are compressed; the signature is over the text before that.
        package var gzip = false

        /// The probability, from 0 to 1, that a delivery never leaves.
        package var loss = 0.0
        /// The probability, from 0 to 1, that a delivery is sent twice.
        package var duplicates = 0.0
        /// The probability, from 0 to 1, that a delivery, or its duplicate, is sent late, so that later ones overtake it.
        package var reordering = 0.0
        /// How late at most; how late is drawn from the seed.
        package var reorderingDelay: Duration = .seconds(2)
        /// Deliveries in a calendar day of the organisation, further ones are dropped; nil for no limit.
        package var callsPerDay: Int?

        /// How often a delivery is tried again; Zoho allows up to 20.
        package var retries = 5
        /// How long to wait before a delivery is tried again, on the clock of ``SimulatorConfiguration/clock``.
        package var retryInterval: Duration = .seconds(1)
        /// What later intervals are like.
        package var retryGrowth = RetryGrowth.multiplicative

        /// How long a connection may take; what the simulator was started with counts.
        package var connectTimeout: Duration = .seconds(5)
        /// How long an answer may be silent; what the simulator was started with counts.
        package var readTimeout: Duration = .seconds(10)
        /// Calls at once; with 1, deliveries arrive in order.
        ///
        /// What the simulator was started with counts.
        package var concurrency = 64
        /// Deliveries that are not acknowledged yet, at which traffic waits; other changes never do.
        package var queueLimit = 10_000
        /// How many of the newest acknowledged deliveries are remembered.
        package var rememberedDeliveries = 200_000

        /// No webhooks.
        package init() {}

        /// How long to wait before the `attempt`th repetition, from 1.
        func delay(beforeRetry attempt: Int) -> Duration {
            switch retryGrowth {
            case .fixed: retryInterval
            case .additive: retryInterval * attempt
            case .multiplicative: retryInterval * (1 << min(attempt - 1, 20))
            }
        }
    }
}

extension SimulatorConfiguration.Webhooks {
    /// How the body of a call is sent (section 8.2).
    package enum Body: String, Sendable, CaseIterable {
        /// The default payload, JSON.
        case `default`
        /// A form with one field, `JSONString`.
        case form
        /// The text `${JSONString}`, which looks like the default payload but for the charset.
        case raw
    }

    /// The two types in which `organization_id` was seen.
    package enum OrganizationID: String, Sendable, CaseIterable {
        case number
        case string
    }

    /// How the interval between two tries changes (section 8.5).
    package enum RetryGrowth: String, Sendable, CaseIterable {
        /// Always the same.
        case fixed
        /// Once, twice, three times the interval.
        case additive
        /// Each twice the one before.
        case multiplicative
    }
}
