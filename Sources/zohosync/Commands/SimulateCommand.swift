import ArgumentParser
import Foundation
import ZohoSimulator

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Runs a stand-in for Zoho Books on this machine.",
        discussion: """
            Prints the environment that points zohosync at it. POST to /_simulator/… changes its organisation; \
            docs/simulator.md has the calls.
            """)

    @OptionGroup var options: SimulatorOptions
    @OptionGroup(title: "Webhooks") var webhooks: WebhookOptions

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port = 8_090

    func run() async throws {
        var configuration = try options.configuration()
        configuration.port = port
        webhooks.apply(to: &configuration)
        let simulator = ZohoSimulator(configuration)
        let oauth = configuration.oauth
        let organizationID = configuration.organizationID
        try await cancelledBySignals {
            try await simulator.run { address in
                // A program that starts the simulator waits for these lines.
                FileHandle.standardOutput.write(
                    Data(
                        """
                        export ZOHO_ACCOUNTS_URL=\(address)
                        export ZOHO_API_URL=\(address)
                        export ZOHO_CLIENT_ID=\(oauth.clientID)
                        export ZOHO_CLIENT_SECRET=\(oauth.clientSecret)
                        export ZOHO_REFRESH_TOKEN=\(oauth.refreshToken)
                        export ZOHO_ORGANIZATION_ID=\(organizationID)

                        """.utf8))
            }
        }
    }
}

/// What a simulated organisation is like; every behaviour is a switch.
struct SimulatorOptions: ParsableArguments {
    @Option(help: "The seed of its data and faults; the same seed gives the same organisation.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp("How many records of a module: items=100000. Can be repeated.", valueName: "module=count"))
    var count: [String] = []

    @Option(help: "Added to every answer, in milliseconds.")
    var latency = 0

    @Option(help: "Calls allowed in a minute; 0 for no limit.")
    var callsPerMinute = 0

    @Option(help: "Calls allowed in a day; 0 for no limit.")
    var callsPerDay = 0

    @Option(help: "Calls allowed at once; 0 for no limit.")
    var inFlight = 0

    @Option(help: "Calls for single records allowed in a minute before the undocumented throttle; 0 for no limit.")
    var detailsPerMinute = 0

    @Option(help: "Which lists answer with their total: all, documented (invoices) or none.")
    var listTotals = "all"

    @Option(
        help: ArgumentHelp(
            "A fault and its probability: internal-error=0.01. Can be repeated. Faults: "
                + SimulatorFault.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "fault=probability")
    )
    var fault: [String] = []

    @Option(
        help: ArgumentHelp(
            "Records that a database refuses: zero-character=5. Can be repeated. Kinds: "
                + SimulatorConfiguration.PoisonKind.allCases.map(\.rawValue).joined(separator: ", ") + ".",
            valueName: "kind=count"))
    var poison: [String] = []

    @Option(help: "A module that the organisation has not switched on. Can be repeated.")
    var disable: [String] = []

    @Option(help: "A module whose list honours last_modified_time beside the documented ones. Can be repeated.")
    var honourModifiedTime: [String] = []

    func configuration() throws -> SimulatorConfiguration {
        var configuration = SimulatorConfiguration()
        configuration.seed = seed
        for (name, text) in try pairs(count, "--count") {
            configuration.counts[try module(name)] = try number(text, "--count")
        }
        configuration.latency = .milliseconds(latency)
        configuration.limits.callsPerMinute = callsPerMinute > 0 ? callsPerMinute : nil
        configuration.limits.callsPerDay = callsPerDay > 0 ? callsPerDay : nil
        configuration.limits.inFlight = inFlight > 0 ? inFlight : nil
        configuration.limits.detailCallsPerMinute = detailsPerMinute > 0 ? detailsPerMinute : nil
        guard let totals = SimulatorConfiguration.ListTotals(rawValue: listTotals) else {
            throw ValidationError("--list-totals \(listTotals) is none of all, documented, none.")
        }
        configuration.listTotals = totals
        for (name, text) in try pairs(fault, "--fault") {
            guard let fault = SimulatorFault(rawValue: name), let probability = Double(text),
                (0...1).contains(probability)
            else {
                throw ValidationError("--fault \(name)=\(text) is not a known fault with a probability from 0 to 1.")
            }
            configuration.faults[fault] = probability
        }
        for (name, text) in try pairs(poison, "--poison") {
            guard let kind = SimulatorConfiguration.PoisonKind(rawValue: name) else {
                throw ValidationError("--poison \(name) is not a known kind.")
            }
            configuration.poison[kind] = try number(text, "--poison")
        }
        for name in disable { configuration.disabledModules.insert(try module(name)) }
        for name in honourModifiedTime { configuration.honoursModifiedFilter.insert(try module(name)) }
        return configuration
    }

    private func pairs(_ options: [String], _ flag: String) throws -> [(String, String)] {
        try options.map { option in
            let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("\(flag) \(option) is not of the form name=value.") }
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
        guard let number = Int(text), number >= 0 else { throw ValidationError("\(flag): \(text) is not a number.") }
        return number
    }
}
