import ArgumentParser
import Testing

@testable import ZohoSimulator
@testable import zohosync

@Suite("Options of zohosync simulate")
struct SimulatorOptionsTests {
    private static func configuration(_ arguments: String...) throws -> SimulatorConfiguration {
        try SimulatorOptions.parse(arguments).configuration()
    }

    @Test("Without options it is what Zoho documents, without limits on calls")
    func defaults() throws {
        let configuration = try Self.configuration()
        let plain = SimulatorConfiguration()
        #expect(configuration.counts == plain.counts)
        #expect(configuration.oauth.tokenLifetime == .seconds(3_600))
        #expect(configuration.oauth.tokensPerTenMinutes == 10 && configuration.oauth.liveTokens == 15)
        #expect(configuration.oauth.scopes == plain.oauth.scopes)
        #expect(configuration.checksAuthorization)
        #expect(configuration.honoursModifiedFilter == plain.honoursModifiedFilter)
        #expect(configuration.undocumentedEndpoints == plain.undocumentedEndpoints)
        #expect(configuration.itemDetailsLimit == 200 && configuration.slowAnswer == .seconds(5))
        #expect(configuration.utcOffsetMinutes == 60 && configuration.ignoresSort.isEmpty)
        #expect(configuration.limits.callsPerMinute == nil && configuration.limits.inFlight == nil)
    }

    @Test("Every behaviour is a switch")
    func switches() throws {
        let oauth = try Self.configuration(
            "--token-lifetime", "60", "--tokens-per-ten-minutes", "2", "--live-tokens", "1", "--scope",
            "ZohoBooks.settings.READ", "--scope", "ZohoBooks.contacts.READ", "--no-authorization")
        #expect(oauth.oauth.tokenLifetime == .seconds(60))
        #expect(oauth.oauth.tokensPerTenMinutes == 2 && oauth.oauth.liveTokens == 1)
        #expect(oauth.oauth.scopes == ["ZohoBooks.settings.READ", "ZohoBooks.contacts.READ"])
        #expect(!oauth.checksAuthorization)
        let unlimited = try Self.configuration("--tokens-per-ten-minutes", "0", "--live-tokens", "0")
        #expect(unlimited.oauth.tokensPerTenMinutes == nil && unlimited.oauth.liveTokens == nil)

        let lists = try Self.configuration(
            "--honour-modified-time", "items", "--ignore-modified-time", "invoices", "--ignore-sort", "contacts",
            "--without", "pricebook-detail", "--without", "brands", "--item-details-limit", "50")
        #expect(lists.honoursModifiedFilter.contains(.items) && !lists.honoursModifiedFilter.contains(.invoices))
        #expect(lists.ignoresSort == [.contacts])
        #expect(lists.undocumentedEndpoints == [.itemImage])
        #expect(lists.itemDetailsLimit == 50)

        var webhooks = SimulatorConfiguration()
        try WebhookOptions.parse(["--webhook-retry-growth", "fixed", "--webhook-read-timeout", "500"])
            .apply(to: &webhooks)
        #expect(webhooks.webhooks.retryGrowth == .fixed && webhooks.webhooks.readTimeout == .milliseconds(500))

        let times = try Self.configuration("--utc-offset=-330", "--slow-answer", "250", "--latency", "20")
        #expect(times.utcOffsetMinutes == -330)
        #expect(times.slowAnswer == .milliseconds(250) && times.latency == .milliseconds(20))
    }

    @Test(
        "A value that makes no sense is refused",
        arguments: [
            ["--utc-offset", "900"], ["--token-lifetime", "0"], ["--live-tokens=-1"], ["--item-details-limit", "0"],
            ["--latency=-1"], ["--slow-answer", "x"], ["--ignore-sort", "widgets"], ["--without", "widgets"],
            ["--ignore-modified-time", "widgets"], ["--calls-per-day=-1"],
        ])
    func refused(arguments: [String]) {
        #expect(throws: (any Error).self) { try SimulatorOptions.parse(arguments).configuration() }
    }
}
