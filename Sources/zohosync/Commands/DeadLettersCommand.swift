import ArgumentParser
import Catalog
import Database
import Foundation
import Mirror
import Server
import ZohoBooks

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "Lists the records that could not be applied, and retries them.",
        subcommands: [List.self, Retry.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the open dead letters with their reasons.")

        @Argument(help: "Only records of this entity.")
        var entity: EntityName?

        @Option(help: "Maximum number to list; default 100, or all with --json.")
        var limit: Int?

        @OptionGroup var common: CommonOptions

        func validate() throws {
            if let limit, limit < 1 { throw ValidationError("--limit must be at least 1.") }
        }

        func run() async throws {
            let settings = try await Settings(file: common.config)
            let name = try entity?.name
            let most = limit ?? (common.json ? .max : 100)
            let (letters, number) = try await Installation.with(
                settings, databaseURL: common.databaseURL, to: .read
            ) {
                (
                    try await $0.mirror.deadLetters(entity: name, limit: most),
                    try await $0.mirror.deadLetterCount(entity: name)
                )
            }
            if common.json {
                Console.print(letters.map { DeadLetterDocument($0) }.json(indented: true))
                return
            }
            guard !letters.isEmpty else {
                Console.print("There are no open dead letters.")
                return
            }
            var rows = [["letter", "entity", "zoho id", "attempts", "last failed", "reason"]]
            for letter in letters {
                rows.append([
                    String(letter.id), letter.entity, letter.zohoID ?? "-", String(letter.attempts),
                    Timestamp.seconds(letter.lastFailedAt), letter.reason + (letter.code.map { " (\($0))" } ?? ""),
                ])
            }
            Console.print(TextTable(rows).lines.joined(separator: "\n"))
            if number > letters.count {
                Console.print("\((number - letters.count).grouped) more; use --limit to see them.")
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Retries the open dead letters, once the cause is fixed.")

        @Argument(help: "Only records of this entity.")
        var entity: EntityName?

        @OptionGroup var common: CommonOptions

        func run() async throws {
            let settings = try await Settings(file: common.config)
            let name = try entity?.name
            let outcomes = try await Installation.with(
                settings, databaseURL: common.databaseURL, to: .maintain, beside: "POST /api/zoho/dead-letters/retry"
            ) { try await $0.mirror.retryDeadLetters(entity: name) }
            if common.json {
                Console.print(RetryDocument(outcomes).outcomes.json(indented: true))
            } else if outcomes.isEmpty {
                Console.print("There are no open dead letters.")
            } else {
                Console.print(
                    outcomes.map { (name: $0.text, number: $1) }.sorted { $0.name < $1.name }
                        .map { "\($0.number) \($0.name)" }.joined(separator: ", "))
            }
            if outcomes[.applied(.failed)] ?? 0 > 0 { throw ExitCode(ExitStatus.failure) }
        }
    }
}
