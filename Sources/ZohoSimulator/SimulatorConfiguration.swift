package import struct Foundation.Date

/// What the simulated organisation holds and how the simulated Zoho behaves.
///
/// The defaults are a small wholesaler (1,312 items, 2,502 contacts) behind an API without limits, latency or faults.
/// The same configuration gives the same records, byte for byte.
package struct SimulatorConfiguration: Sendable {
    /// The port to listen on at ``host``; 0 for any free one.
    package var port = 0
    /// The address to listen on.
    package var host = "127.0.0.1"
    /// What every record, token and fault follows from.
    package var seed: UInt64 = 1
    /// The only organisation there is.
    package var organizationID = "60099900001"
    /// How many records each module has.
    ///
    /// Price lists need items; documents need items and at least 13 contacts.
    package var counts: [SimulatorModule: Int] = Self.seedOrganization
    /// When the youngest generated records were changed last.
    package var dataEnd = Date(timeIntervalSince1970: 1_767_222_000)
    /// The organisation's offset from UTC in minutes; there is no summer time.
    package var utcOffsetMinutes = 60
    /// The time, before ``SimulatorControl/advanceClock(by:)`` moves it.
    package var now: @Sendable () -> Date = { Date() }

    /// The OAuth endpoint.
    package var oauth = OAuth()
    /// Whether a call needs a token and the organisation's id; without, curl is enough.
    package var checksAuthorization = true
    /// What `api_domain` in a token answer says; nil for the simulator's own address.
    package var apiDomain: String?

    /// The limits on calls.
    package var limits = Limits()
    /// Added to every answer of the API, refusals excepted, which come at once.
    package var latency: Duration = .zero
    /// What everything is waited by: latency, the repetition of webhooks, the pace of traffic.
    package var clock: any Clock<Duration> = ContinuousClock()
    /// How late an answer with ``SimulatorFault/slowAnswer`` is.
    package var slowAnswer: Duration = .seconds(5)
    /// The probability of each fault, from 0 to 1, for a call of the API.
    package var faults: [SimulatorFault: Double] = [:]

    /// The modules whose lists honour `last_modified_time`; the others ignore it (section 5.2).
    package var honoursModifiedFilter: Set<SimulatorModule> = [
        .invoices, .bills, .creditnotes, .salesorders, .purchaseorders,
    ]
    /// The modules whose lists ignore `sort_column` and `sort_order`, as Zoho ignores what it does not know.
    package var ignoresSort: Set<SimulatorModule> = []
    /// Which lists answer `response_option` with counts and sums.
    package var listTotals: ListTotals = .all
    /// Modules that the organisation has switched off; their paths answer 400.
    package var disabledModules: Set<SimulatorModule> = []
    /// Endpoints that work but that Zoho does not document; without, they are unknown paths.
    package var undocumentedEndpoints: Set<UndocumentedEndpoint> = Set(UndocumentedEndpoint.allCases)
    /// How many ids `itemdetails` takes at once; more are refused.
    package var itemDetailsLimit = 200
    /// Called with the module and the number of each page of a list before the page is sent, so that a test can change
    /// records between pages.
    package var onPage: (@Sendable (_ module: SimulatorModule, _ page: Int) async -> Void)?
    /// Records that a database may refuse, and how many of each.
    package var poison: [PoisonKind: Int] = [:]

    /// The webhooks.
    package var webhooks = Webhooks()
    /// Changes a second of the traffic that starts with the simulator; 0 for none.
    package var trafficPerSecond = 0.0

    /// The default organisation.
    package init() {}

    /// The counts of the default organisation.
    package static let seedOrganization: [SimulatorModule: Int] = [
        .items: 1_312, .contacts: 2_502, .pricebooks: 10, .invoices: 125, .bills: 60, .creditnotes: 20,
        .salesorders: 80, .purchaseorders: 30, .customerpayments: 90,
    ]
}

extension SimulatorConfiguration {
    /// How the OAuth endpoint behaves (sections 1.4 to 1.6).
    package struct OAuth: Sendable {
        /// The only client.
        package var clientID = "1000.SIMULATOR"
        /// The client's secret.
        package var clientSecret = "simulator-secret"
        /// The only refresh token.
        package var refreshToken = "1000.simulator.refresh"
        /// Grant codes, each good for one exchange.
        package var grantCodes: Set<String> = ["1000.simulator.grant"]
        /// The redirect address that a grant must name if it names one.
        package var redirectURI: String?
        /// The scopes of every token.
        package var scopes = ["ZohoBooks.fullaccess.all"]
        /// How long an access token is good.
        package var tokenLifetime: Duration = .seconds(3_600)
        /// Access tokens in any ten minutes; nil for no limit.
        package var tokensPerTenMinutes: Int? = 10
        /// Access tokens that live at once, one more evicts the oldest; nil for no limit.
        package var liveTokens: Int? = 15

        /// What Zoho's documentation says.
        package init() {}
    }

    /// The limits on calls; nil for none (section 2.1).
    package struct Limits: Sendable {
        /// Calls in any 60 seconds, else 429 with code 44.
        package var callsPerMinute: Int?
        /// Calls in a calendar day of the organisation, else 429 with code 45.
        package var callsPerDay: Int?
        /// Calls at once, else 429 with code 1070.
        package var inFlight: Int?
        /// Calls for one record in any 60 seconds, else 429 with code 43, the undocumented soft throttle.
        package var detailCallsPerMinute: Int?

        /// No limits.
        package init() {}

        /// What a paid organisation has: 100 a minute, 10 at once, and its plan's calls a day.
        package static func paid(callsPerDay: Int = 10_000) -> Limits {
            var limits = Limits()
            limits.callsPerMinute = 100
            limits.callsPerDay = callsPerDay
            limits.inFlight = 10
            return limits
        }
    }

    /// Which lists answer `response_option` with counts and sums.
    package enum ListTotals: String, Sendable {
        /// Every list of a module.
        case all
        /// Invoices alone, as documented.
        case documented
        /// None.
        case none
    }

    /// An endpoint that works without being documented (section 11.2.8).
    package enum UndocumentedEndpoint: String, Sendable, CaseIterable {
        /// `GET /pricebooks/{id}`.
        case pricebookDetail = "pricebook-detail"
        /// `GET /items/{id}/image`.
        case itemImage = "item-image"
        /// `GET /brands`.
        case brands
    }

    /// A record that is whole to Zoho and trouble to a database.
    package enum PoisonKind: String, Sendable, CaseIterable {
        /// An item whose description has a zero character.
        case zeroCharacter = "zero-character"
        /// A contact whose company name has half of a surrogate pair.
        case loneSurrogate = "lone-surrogate"
        /// An item that was last modified at a time that is none.
        case unreadableTime = "unreadable-time"
        /// An item whose rate is the text `abc`.
        case textForNumber = "text-for-number"
        /// An item whose rate has more digits than a number in a database.
        case hugeNumber = "huge-number"
        /// An invoice whose date is `27 Dec 2016`.
        case displayDate = "display-date"
    }
}
