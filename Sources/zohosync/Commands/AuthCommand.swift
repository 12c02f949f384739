import ArgumentParser
import AsyncHTTPClient
import Catalog
import Foundation
import Logging
import ZohoBooks

struct AuthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "auth", abstract: "Connects zohosync to a Zoho Books organisation.",
        subcommands: [Grant.self, Scopes.self, TokenCommand.self], defaultSubcommand: Grant.self)

    struct Grant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Exchanges the grant code of a self client for a refresh token.",
            discussion: """
                Needs ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET and ZOHO_DATA_CENTER. Reads the code from standard input, so \
                that no list of processes shows it, and prints ZOHO_REFRESH_TOKEN and ZOHO_ORGANIZATION_ID.
                """)

        @Option(help: "The configuration file; zohosync.yaml in the working folder by default.")
        var config: String?

        func run() async throws {
            let settings = try await Settings(file: config)
            var configuration = try settings.zohoBooks(isConnected: false)
            let http = HTTPClient.zohoBooks(configuration, inFlight: 1)
            do {
                let code = try await GrantCode.read()
                configuration.refreshToken = try await client(configuration, http).refreshToken(forGrant: code)
                print("ZOHO_REFRESH_TOKEN=\(configuration.refreshToken.revealed)")
                try await showOrganizations(client(configuration, http))
                try await http.shutdown()
            } catch {
                try? await http.shutdown()
                throw error
            }
        }

        private func client(_ configuration: ZohoBooksConfiguration, _ http: HTTPClient) -> ZohoBooksClient {
            ZohoBooksClient(
                configuration: configuration, http: http, tokens: InMemoryTokenStore(), calls: InMemoryCallLedger(),
                logger: Logger(label: "zohosync") { _ in SwiftLogNoOpLogHandler() })
        }

        private func showOrganizations(_ client: ZohoBooksClient) async throws {
            let organizations = try await client.organizations()
            if organizations.count == 1 {
                note("The organisation is \(organizations[0].name).")
                print("ZOHO_ORGANIZATION_ID=\(organizations[0].id)")
            } else {
                note("Choose one of these organisations:")
                for organization in organizations {
                    print("# \(organization.name)\n# ZOHO_ORGANIZATION_ID=\(organization.id)")
                }
            }
            note("Keep these lines where zohosync reads its environment; the refresh token is a password.")
        }

        private func note(_ text: String) {
            FileHandle.standardError.write(Data((text + "\n").utf8))
        }
    }

    struct Scopes: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints the scopes to paste into Zoho's API console when the grant code is made.")

        func run() {
            let scopes = Catalog.entities.map(\.entity.module.scope)
            print(Set(scopes).sorted().joined(separator: ","))
        }
    }
}

/// The grant code as a person pastes it, or a program writes it, to standard input.
private enum GrantCode {
    static func read() async throws -> Secret {
        if isatty(STDIN_FILENO) == 1 {
            FileHandle.standardError.write(
                Data("Paste the grant code from the API console (it is not shown), then press Return: ".utf8))
        }
        let line = await withCheckedContinuation { continuation in
            // Waiting for a person blocks the thread.
            DispatchQueue.global().async { continuation.resume(returning: readLineUnseen()) }
        }
        let code = line.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !code.isEmpty else {
            throw SettingsError.invalid("The grant code", "empty", "what the API console shows under Self Client")
        }
        return Secret(code)
    }

    private static func readLineUnseen() -> String {
        var terminal = termios()
        guard tcgetattr(STDIN_FILENO, &terminal) == 0 else { return readLine() ?? "" }
        let before = terminal
        terminal.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal)
        defer {
            var restored = before
            tcsetattr(STDIN_FILENO, TCSANOW, &restored)
            FileHandle.standardError.write(Data("\n".utf8))
        }
        return readLine() ?? ""
    }
}
