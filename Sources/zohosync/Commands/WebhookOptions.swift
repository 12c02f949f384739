import ArgumentParser
import ZohoSimulator

/// Where the simulator sends webhooks, what they look like, and what goes wrong on their way.
struct WebhookOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Send a webhook for every change to the module's path below this address: products, customers, vendors, "
                + "invoices, bills, credit-notes, orders, payments.", valueName: "http://host:port/path"))
    var webhookURL: String?

    @Option(help: "The secret that signs webhooks; without it they are not signed.")
    var webhookSecret: String?

    @Option(help: "The encoding of the signature: hex, base64 or none.")
    var webhookSignature = "hex"

    @Option(
        help: ArgumentHelp(
            "A header of every webhook, such as X-Webhook-Key=abc. Can be repeated.", valueName: "name=value"))
    var webhookHeader: [String] = []

    @Option(help: "The body of a webhook: default (JSON), form (JSONString) or raw.")
    var webhookBody = SimulatorConfiguration.Webhooks.Body.default

    @Flag(help: "Add event=created, edited or deleted to the address.")
    var webhookEvent = false

    @Option(help: "Put organization_id beside the record, as number or string.")
    var webhookOrganization: SimulatorConfiguration.Webhooks.OrganizationID?

    @Option(help: "The root key of a customer payment: payment or customer_payment.")
    var webhookPaymentKey = "payment"

    @Flag(help: "Compress the bodies of webhooks.")
    var webhookGzip = false

    @Option(help: "The probability that a webhook is lost, from 0 to 1.")
    var webhookLoss = 0.0

    @Option(help: "The probability that a webhook is sent twice, from 0 to 1.")
    var webhookDuplicates = 0.0

    @Option(help: "The probability that a webhook is up to two seconds late, so that others overtake it, from 0 to 1.")
    var webhookReordering = 0.0

    @Option(help: "Webhooks a day; further ones are dropped. 0 for no limit. Zoho's limit is said to be 1000.")
    var webhooksPerDay = 0

    @Option(help: "How often a webhook that was not answered with 2xx is retried.")
    var webhookRetries = 5

    @Option(help: "Milliseconds before the first retry.")
    var webhookRetryInterval = 1_000

    @Option(
        help: "How the wait grows with further retries: fixed, additive (twice, three times as long) or multiplicative."
    )
    var webhookRetryGrowth = SimulatorConfiguration.Webhooks.RetryGrowth.multiplicative

    @Option(help: "Milliseconds to wait for the answer to a webhook.")
    var webhookReadTimeout = 10_000

    @Option(help: "Webhooks sent at once; with 1 they arrive in order.")
    var webhookConcurrency = 64

    @Option(
        help: "Changes a second that the simulator makes by itself: edits, creations and deletions drawn from the seed."
    )
    var traffic = 0.0

    func apply(to configuration: inout SimulatorConfiguration) {
        if let webhookURL { configuration.webhooks.rules = WebhookRule.all(below: webhookURL) }
        configuration.webhooks.secret = webhookSecret
        configuration.webhooks.signature = WebhookSignature.Encoding(rawValue: webhookSignature)
        configuration.webhooks.headers = Dictionary(headers, uniquingKeysWith: { $1 })
        configuration.webhooks.body = webhookBody
        configuration.webhooks.namesEvent = webhookEvent
        configuration.webhooks.organizationID = webhookOrganization
        configuration.webhooks.paymentKey = webhookPaymentKey
        configuration.webhooks.gzip = webhookGzip
        configuration.webhooks.loss = webhookLoss
        configuration.webhooks.duplicates = webhookDuplicates
        configuration.webhooks.reordering = webhookReordering
        configuration.webhooks.callsPerDay = webhooksPerDay > 0 ? webhooksPerDay : nil
        configuration.webhooks.retries = webhookRetries
        configuration.webhooks.retryInterval = .milliseconds(webhookRetryInterval)
        configuration.webhooks.retryGrowth = webhookRetryGrowth
        configuration.webhooks.readTimeout = .milliseconds(webhookReadTimeout)
        configuration.webhooks.concurrency = webhookConcurrency
        configuration.trafficPerSecond = traffic
    }

    private var headers: [(String, String)] {
        webhookHeader.compactMap { header in
            let parts = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return parts.count == 2 && !parts[0].isEmpty ? (parts[0], parts[1]) : nil
        }
    }

    func validate() throws {
        if let webhookURL, !webhookURL.hasPrefix("http://"), !webhookURL.hasPrefix("https://") {
            throw ValidationError("--webhook-url must be an address such as http://127.0.0.1:8080/webhooks.")
        }
        if webhookSignature != "none", WebhookSignature.Encoding(rawValue: webhookSignature) == nil {
            throw ValidationError("--webhook-signature must be hex, base64 or none.")
        }
        if headers.count < webhookHeader.count {
            throw ValidationError("--webhook-header must have the form name=value.")
        }
        let shares = [
            "--webhook-loss": webhookLoss, "--webhook-duplicates": webhookDuplicates,
            "--webhook-reordering": webhookReordering,
        ]
        for (flag, share) in shares where !(0...1).contains(share) {
            throw ValidationError("\(flag) must be from 0 to 1.")
        }
        let leasts = [
            ("--webhooks-per-day", webhooksPerDay, 0), ("--webhook-retries", webhookRetries, 0),
            ("--webhook-retry-interval", webhookRetryInterval, 0), ("--webhook-concurrency", webhookConcurrency, 1),
            ("--webhook-read-timeout", webhookReadTimeout, 1),
        ]
        for (flag, value, least) in leasts where value < least {
            throw ValidationError("\(flag) must be at least \(least).")
        }
        if !traffic.isFinite || traffic < 0 { throw ValidationError("--traffic must be 0 or more.") }
    }
}

extension SimulatorConfiguration.Webhooks.Body: ExpressibleByArgument {}
extension SimulatorConfiguration.Webhooks.OrganizationID: ExpressibleByArgument {}
extension SimulatorConfiguration.Webhooks.RetryGrowth: ExpressibleByArgument {}
