import ArgumentParser
import Database
import Mirror
import Server

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Creates, lists and revokes tokens for the HTTP API.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Creates a token and prints it once.")

        @Argument(help: "What the token is for, such as erp or grafana.")
        var name: String

        @Option(
            help: """
                What it allows: read, or operate, which also starts and cancels syncs, retries and discards dead letters, \
                and manages tokens.
                """)
        var role = APIToken.Role.read

        @OptionGroup var common: CommonOptions

        func validate() throws {
            guard APIToken.isName(name) else { throw ValidationError("A token's name \(APIToken.nameRule).") }
        }

        func run() async throws {
            let settings = try await Settings(file: common.config)
            let (secret, token) = try await Installation.with(
                settings, databaseURL: common.databaseURL, to: .change, beside: "POST /api/zoho/tokens"
            ) { try await $0.mirror.makeAPIToken(name: name, role: role) }
            Console.print(common.json ? TokenDocument(token, secret: secret).json(indented: true) : secret)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists tokens; secrets are not shown.")

        @OptionGroup var common: CommonOptions

        func run() async throws {
            let settings = try await Settings(file: common.config)
            let tokens = try await Installation.with(
                settings, databaseURL: common.databaseURL, to: .read
            ) { try await $0.mirror.apiTokens() }
            if common.json {
                Console.print(tokens.map { TokenDocument($0) }.json(indented: true))
                return
            }
            var rows = [["token", "name", "role", "created", "revoked"]]
            for token in tokens {
                rows.append([
                    String(token.id), token.name, token.role.rawValue, Timestamp.seconds(token.createdAt),
                    token.revokedAt.map { Timestamp.seconds($0) } ?? "-",
                ])
            }
            Console.print(TextTable(rows).lines.joined(separator: "\n"))
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revokes a token.")

        @Argument(help: "The id of the token, as list shows it.")
        var id: Int64

        @OptionGroup var common: CommonOptions

        func run() async throws {
            let settings = try await Settings(file: common.config)
            let isRevoked = try await Installation.with(
                settings, databaseURL: common.databaseURL, to: .maintain, beside: "DELETE /api/zoho/tokens/\(id)"
            ) { try await $0.mirror.revokeAPIToken(id) }
            guard isRevoked else { throw MirrorError.unknown("active token with id \(id)") }
            Console.print(common.json ? ["revoked": id].json(indented: true) : "Token \(id) was revoked.")
        }
    }
}

extension APIToken.Role: ExpressibleByArgument {}
