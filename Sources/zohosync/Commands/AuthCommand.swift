import ArgumentParser
import AsyncHTTPClient
import Catalog
import Foundation
import Logging
import Server
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
                that it appears in no process list, and prints ZOHO_REFRESH_TOKEN and ZOHO_ORGANIZATION_ID.
                """)

        @Option(help: "The configuration file; default zohosync.yaml in the current directory.")
        var config: String?

        @OptionGroup var output: OutputOptions

        func run() async throws {
            let settings = try await Settings(file: config)
            var configuration = try settings.zohoBooks(isConnected: false)
            let http = HTTPClient.zohoBooks(configuration, inFlight: 1)
            do {
                let code = try await GrantCode.read()
                configuration.refreshToken = try await client(configuration, http).refreshToken(forGrant: code)
                // At once: the code is used up, whatever becomes of the organisations.
                if !output.json { Console.print("ZOHO_REFRESH_TOKEN=\(configuration.refreshToken.revealed)") }
                let organizations: [Organization]
                do {
                    organizations = try await client(configuration, http).organizations()
                } catch {
                    guard output.json else { throw error }
                    let reason = ExitStatus(error).message
                    Console.print(Granted(configuration.refreshToken, nil, error: reason).json(indented: true))
                    throw ReportedError(cause: error)
                }
                if output.json {
                    Console.print(Granted(configuration.refreshToken, organizations).json(indented: true))
                } else {
                    show(organizations)
                }
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

        private func show(_ organizations: [Organization]) {
            if organizations.count == 1 {
                Console.note("The organisation is \(organizations[0].name).\n")
                Console.print("ZOHO_ORGANIZATION_ID=\(organizations[0].id)")
            } else {
                Console.note("Choose one of these organisations:\n")
                for organization in organizations {
                    Console.print("# \(organization.name)\n# ZOHO_ORGANIZATION_ID=\(organization.id)")
                }
            }
            Console.note("Add these lines to zohosync's environment. The refresh token is as secret as a password.\n")
        }

        /// What the grant gave, as JSON for machines.
        private struct Granted: Encodable {
            struct Choice: Encodable, Sendable {
                let id: String
                let name: String
            }

            let refreshToken: String
            /// Nil where they could not be read.
            @Nullable var organizations: [Choice]?
            /// Why they could not be read.
            @Nullable var error: String?

            init(_ token: Secret, _ organizations: [Organization]?, error: String? = nil) {
                refreshToken = token.revealed
                self.error = error
                self.organizations = organizations?.map { Choice(id: $0.id, name: $0.name) }
            }
        }
    }

    struct Scopes: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints the scopes to paste into Zoho's API console when you create the grant code.")

        @OptionGroup var output: OutputOptions

        func run() {
            let scopes = Set(Catalog.entities.map(\.entity.module.scope)).sorted()
            Console.print(output.json ? scopes.json(indented: true) : scopes.joined(separator: ","))
        }
    }
}

/// The grant code as a person pastes it, or a program writes it, to standard input.
private enum GrantCode {
    static func read() async throws -> Secret {
        if isatty(STDIN_FILENO) == 1 {
            Console.note("Paste the grant code from the API console (it will not be shown), then press Return: ")
        }
        let line = await withCheckedContinuation { continuation in
            // Waiting for a person blocks the thread.
            DispatchQueue.global().async { continuation.resume(returning: readLineUnseen()) }
        }
        let code = line.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !code.isEmpty else {
            throw SettingsError.invalid(
                "The grant code", "empty", "the code that the API console shows under Self Client")
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
            Console.note("\n")
        }
        return readLine() ?? ""
    }
}
