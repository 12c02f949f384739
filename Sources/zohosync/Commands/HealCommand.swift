import ArgumentParser
import Database
import Mirror
import Server
import Sync

struct HealCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heal", abstract: "Repairs what can be repaired automatically.",
        discussion: """
            zohosync serve does the same every hour. Each action is recorded in sync_actions with its reason and \
            result. ZOHOSYNC_HEAL_<ACTION>=false turns one off.
            """)

    @Flag(help: "Show what would be done and why, without doing it.")
    var dryRun = false

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let settings = try await Settings(file: common.config)
        var options = try settings.healing()
        options.isAskedFor = true
        let (asked, isRehearsal, isQuiet) = (options, dryRun, common.json)
        let actions = try await Installation.with(
            settings, databaseURL: common.databaseURL, to: .maintain
        ) { installation in
            try await installation.withClient(settings) { client in
                let healer = Healer(
                    mirror: installation.mirror, client: client, options: asked, process: ProcessName.current,
                    isDead: { ProcessName.isDead($0) },
                    processor: DeliveryProcessor(
                        mirror: installation.mirror, client: client, process: ProcessName.current,
                        trustsDeletions: try settings.trustsDeletions(), isDead: { ProcessName.isDead($0) },
                        logger: installation.logger)
                ) { options in
                    try await Synchroniser(
                        client: client, mirror: installation.mirror, options: options, process: ProcessName.current,
                        isDead: { ProcessName.isDead($0) }
                    ).run()
                }
                if isRehearsal { return try await healer.plan().map { ActionDocument($0) } }
                return try await cancelledBySignals {
                    try await healer.heal { if !isQuiet { Console.print(ActionDocument($0).text) } }
                        .map { ActionDocument($0) }
                }
            }
        }
        if common.json {
            Console.print(actions.json(indented: true))
        } else {
            if isRehearsal { for action in actions { Console.print(action.text) } }
            if actions.isEmpty { Console.print("Nothing needs healing.") }
        }
        if actions.contains(where: \.open) { throw ExitCode(ExitStatus.failure) }
    }
}

/// What healing did or would do, as JSON for machines.
private struct ActionDocument: Encodable, Sendable {
    let action: String
    let reason: String
    /// `done`, `waiting`, `failed` or `question`; nil in a dry run.
    @Nullable var state: String?
    @Nullable var outcome: String?
    @Nullable var changed: Int?
    /// Whether a person has to decide or to fix something.
    let open: Bool

    init(_ record: HealingRecord) {
        action = record.action
        reason = record.reason
        state = record.state.rawValue
        outcome = record.outcome
        changed = record.changed
        open = record.state.isOpen
    }

    init(_ need: HealingNeed) {
        action = need.action.rawValue
        reason = need.reason
        let asked: HealingRecord.State? = need.isQuestion ? .question : nil
        state = asked?.rawValue
        outcome = asked?.words
        changed = nil
        open = need.isQuestion
    }

    var text: String { "\(action): \(reason)" + (outcome.map { " \($0)" } ?? "") }
}
