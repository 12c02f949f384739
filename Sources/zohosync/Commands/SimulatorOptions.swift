import ArgumentParser
import ZohoSimulator

/// What a simulated organisation is like; every behaviour is a switch.
struct SimulatorOptions: ParsableArguments {
    @Option(help: "The seed of data and faults; the same seed gives the same organisation.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            "The number of records in a module, such as items=100000. Can be repeated.", valueName: "module=count"))
    var count: [String] = []

    @Option(help: "The organisation's offset from UTC, in minutes.")
    var utcOffset = 60

    @Option(help: "The delay of every answer, in milliseconds.")
    var latency = 0

    @Option(help: "Calls allowed a minute; 0 for no limit.")
    var callsPerMinute = 0

    @Option(help: "Calls allowed a day; 0 for no limit.")
    var callsPerDay = 0

    @Option(help: "Calls allowed at once; 0 for no limit.")
    var inFlight = 0

    @Option(help: "Calls for single records allowed a minute before the undocumented throttle; 0 for no limit.")
    var detailsPerMinute = 0

    @Option(help: "The lifetime of an access token, in seconds.")
    var tokenLifetime = 3_600

    @Option(help: "Access tokens issued in ten minutes; 0 for no limit.")
    var tokensPerTenMinutes = 10

    @Option(help: "Access tokens valid at once; one more evicts the oldest. 0 for no limit.")
    var liveTokens = 15

    @Option(help: "A scope to grant instead of all scopes, such as ZohoBooks.settings.READ. Can be repeated.")
    var scope: [String] = []

    @Flag(help: "Accept calls without a token and an organisation, so that plain curl works.")
    var noAuthorization = false

    @Option(help: "Which lists report their total: all, documented (invoices) or none.")
    var listTotals = "all"

    @Option(
        help: ArgumentHelp(
            "A fault and its probability, such as internal-error=0.01. Can be repeated. Faults: "
                + SimulatorFault.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "fault=probability")
    )
    var fault: [String] = []

    @Option(help: "The delay of a slow-answer, in milliseconds.")
    var slowAnswer = 5_000

    @Option(
        help: ArgumentHelp(
            "The number of records that a database refuses, such as zero-character=5. Can be repeated. Kinds: "
                + SimulatorConfiguration.PoisonKind.allCases.map(\.rawValue).joined(separator: ", ") + ".",
            valueName: "kind=count"))
    var poison: [String] = []

    @Option(help: "A module that the organisation has not enabled. Can be repeated.")
    var disable: [String] = []

    @Option(
        help: "A module whose list honours last_modified_time, in addition to the documented ones. Can be repeated.")
    var honourModifiedTime: [String] = []

    @Option(help: "A module whose list ignores last_modified_time although Zoho documents it. Can be repeated.")
    var ignoreModifiedTime: [String] = []

    @Option(help: "A module whose list ignores sort_column and sort_order. Can be repeated.")
    var ignoreSort: [String] = []

    @Option(
        help: ArgumentHelp(
            "An undocumented endpoint that is not available. Can be repeated. Endpoints: "
                + SimulatorConfiguration.UndocumentedEndpoint.allCases.map(\.rawValue).joined(separator: ", ") + ".",
            valueName: "endpoint"))
    var without: [SimulatorConfiguration.UndocumentedEndpoint] = []

    @Option(help: "The most ids that itemdetails accepts at once; more are refused.")
    var itemDetailsLimit = 200

    func configuration() throws -> SimulatorConfiguration {
        try checkRanges()
        var configuration = SimulatorConfiguration()
        configuration.seed = seed
        for (name, text) in try pairs(count, "--count") {
            configuration.counts[try module(name)] = try number(text, "--count")
        }
        configuration.utcOffsetMinutes = utcOffset
        configuration.latency = .milliseconds(latency)
        configuration.limits.callsPerMinute = callsPerMinute > 0 ? callsPerMinute : nil
        configuration.limits.callsPerDay = callsPerDay > 0 ? callsPerDay : nil
        configuration.limits.inFlight = inFlight > 0 ? inFlight : nil
        configuration.limits.detailCallsPerMinute = detailsPerMinute > 0 ? detailsPerMinute : nil
        configuration.oauth.tokenLifetime = .seconds(tokenLifetime)
        configuration.oauth.tokensPerTenMinutes = tokensPerTenMinutes > 0 ? tokensPerTenMinutes : nil
        configuration.oauth.liveTokens = liveTokens > 0 ? liveTokens : nil
        if !scope.isEmpty { configuration.oauth.scopes = scope }
        configuration.checksAuthorization = !noAuthorization
        guard let totals = SimulatorConfiguration.ListTotals(rawValue: listTotals) else {
            throw ValidationError("--list-totals must be all, documented or none.")
        }
        configuration.listTotals = totals
        for (name, text) in try pairs(fault, "--fault") {
            guard let fault = SimulatorFault(rawValue: name), let probability = Double(text),
                (0...1).contains(probability)
            else {
                throw ValidationError("--fault \(name)=\(text) must be a known fault and a probability from 0 to 1.")
            }
            configuration.faults[fault] = probability
        }
        configuration.slowAnswer = .milliseconds(slowAnswer)
        for (name, text) in try pairs(poison, "--poison") {
            guard let kind = SimulatorConfiguration.PoisonKind(rawValue: name) else {
                throw ValidationError("--poison \(name) is unknown; see --help for the kinds.")
            }
            configuration.poison[kind] = try number(text, "--poison")
        }
        for name in disable { configuration.disabledModules.insert(try module(name)) }
        for name in honourModifiedTime { configuration.honoursModifiedFilter.insert(try module(name)) }
        for name in ignoreModifiedTime { configuration.honoursModifiedFilter.remove(try module(name)) }
        for name in ignoreSort { configuration.ignoresSort.insert(try module(name)) }
        configuration.undocumentedEndpoints.subtract(without)
        configuration.itemDetailsLimit = itemDetailsLimit
        return configuration
    }

    private func checkRanges() throws {
        let ranges: [(flag: String, value: Int, range: ClosedRange<Int>)] = [
            ("--utc-offset", utcOffset, -720...840), ("--latency", latency, 0...600_000),
            ("--calls-per-minute", callsPerMinute, 0...(.max)), ("--calls-per-day", callsPerDay, 0...(.max)),
            ("--in-flight", inFlight, 0...(.max)), ("--details-per-minute", detailsPerMinute, 0...(.max)),
            ("--token-lifetime", tokenLifetime, 1...86_400), ("--live-tokens", liveTokens, 0...(.max)),
            ("--tokens-per-ten-minutes", tokensPerTenMinutes, 0...(.max)), ("--slow-answer", slowAnswer, 0...600_000),
            ("--item-details-limit", itemDetailsLimit, 1...(.max)),
        ]
        for (flag, value, range) in ranges where !range.contains(value) {
            let bounds =
                range.upperBound == .max
                ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw ValidationError("\(flag) must be \(bounds).")
        }
    }

    private func pairs(_ options: [String], _ flag: String) throws -> [(String, String)] {
        try options.map { option in
            let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("\(flag) \(option) must have the form name=value.") }
            return (parts[0], parts[1])
        }
    }

    private func module(_ name: String) throws -> SimulatorModule {
        guard let module = SimulatorModule(rawValue: name) else {
            let names = SimulatorModule.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("There is no module \(name). Choose from: \(names).")
        }
        return module
    }

    private func number(_ text: String, _ flag: String) throws -> Int {
        guard let number = Int(text), number >= 0 else {
            throw ValidationError("\(flag): \(text) must be a whole number.")
        }
        return number
    }
}

extension SimulatorConfiguration.UndocumentedEndpoint: ExpressibleByArgument {}
