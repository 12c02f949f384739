import ArgumentParser
import Server
import ZohoSimulator

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Runs a stand-in for Zoho Books on this machine.",
        discussion: """
            Prints the environment variables that point zohosync at it. POST requests to /_simulator/… change its \
            organisation; docs/simulator.md lists them.
            """)

    @OptionGroup var options: SimulatorOptions
    @OptionGroup(title: "Webhooks") var webhooks: WebhookOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "The port to listen on; 0 picks a free one.")
    var port = 8_090

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be from 0 to 65535.") }
        _ = try options.configuration()
    }

    func run() async throws {
        var configuration = try options.configuration()
        configuration.port = port
        webhooks.apply(to: &configuration)
        let simulator = ZohoSimulator(configuration)
        let (oauth, organizationID, isJSON) = (configuration.oauth, configuration.organizationID, output.json)
        try await cancelledBySignals {
            try await simulator.run { address in
                let environment = [
                    ("ZOHO_ACCOUNTS_URL", address), ("ZOHO_API_URL", address), ("ZOHO_CLIENT_ID", oauth.clientID),
                    ("ZOHO_CLIENT_SECRET", oauth.clientSecret), ("ZOHO_REFRESH_TOKEN", oauth.refreshToken),
                    ("ZOHO_ORGANIZATION_ID", organizationID),
                ]
                // A program that starts the simulator waits for these lines.
                try? Console.write(
                    isJSON
                        ? Dictionary(uniqueKeysWithValues: environment).json(indented: false) + "\n"
                        : environment.map { "export \($0)=\($1)\n" }.joined())
            }
        }
    }
}
