import ArgumentParser
import Catalog
import Database
import Foundation
import Mirror
import Server
import Sync

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Proves that source and mirror agree, or shows and repairs the differences.",
        discussion: """
            Reads every list in full and compares it; a record that seems to differ is read individually before it \
            counts as drift. Exits with 0 only when source and mirror are equal.
            """)

    @Argument(help: "Entities to compare; all by default.")
    var entities: [EntityName] = []

    @Option(help: "Records of each entity whose details are compared even if nothing seems to differ.")
    var sample = 5

    @Flag(
        help: """
            Compare every record in full, with its children, including records whose details the mirror still lacks.
            """)
    var deep = false

    @Flag(help: "Correct the mirror where a difference is confirmed.")
    var repair = false

    @Flag(
        help: "Mark rows as deleted however many of an entity's records are gone from Zoho.")
    var allowMassDeletion = false

    @Option(help: "The most calls to spend on confirming differences.")
    var confirmations = 1_000

    @Flag(help: "Show how many calls it would cost, and stop.")
    var cost = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard sample >= 0, confirmations >= 0 else {
            throw ValidationError("--sample and --confirmations must be 0 or more.")
        }
    }

    func run() async throws {
        var options = ReconciliationOptions()
        options.entities = try entities.map { try $0.name }
        options.sample = sample
        options.isDeep = deep
        options.repairs = repair
        options.allowsMassDeletion = allowMassDeletion
        options.confirmations = confirmations
        let (isQuiet, stopsAtCost) = (common.json, cost)
        let settings = try await Settings(file: common.config)
        options.deletions = try settings.deletions()
        let asked = options
        let report = try await Installation.with(
            settings, databaseURL: common.databaseURL, to: .maintain
        ) { installation -> ReconciliationReport? in
            try await installation.withClient(settings) { client in
                let reconciler = Reconciler(
                    client: client, mirror: installation.mirror, options: asked, process: ProcessName.current,
                    isDead: { ProcessName.isDead($0) },
                    onEvent: { if !isQuiet { Self.show($0) } })
                if stopsAtCost {
                    let cost = try await reconciler.cost()
                    Console.print(isQuiet ? CostDocument(cost).json(indented: true) : Self.text(cost))
                    return nil
                }
                return try await cancelledBySignals { try await reconciler.run() }
            }
        }
        guard let report else { return }
        Console.print(common.json ? ReconciliationDocument(report).json(indented: true) : Self.text(report))
        if !report.isEqual { throw ExitCode(ExitStatus.failure) }
    }

    private static func show(_ event: ReconciliationEvent) {
        switch event {
        case .announced(let cost): Console.print(text(cost))
        case .listed(let entity, let records, let suspects):
            Console.print("\(entity): \(records.grouped) listed, \(suspects.grouped) to be checked individually")
        case .page, .ended: break
        }
    }

    private static func text(_ cost: ReconciliationCost) -> String {
        let lists = cost.lists.values.reduce(0, +)
        let again = cost.passes > 1 ? ", each up to \(cost.passes) times where something had to be repaired" : ""
        return """
            This takes at most \(cost.ceiling.grouped) calls: \(lists.grouped) for lists\(again), \
            \(cost.samples.grouped) for samples, and up to \(cost.confirmations.grouped) to confirm what seems to differ.
            """
    }

    private static func text(_ ids: [String]) -> String {
        let more = ids.count > 10 ? " and \((ids.count - 10).grouped) more" : ""
        return ids.prefix(10).joined(separator: ", ") + more
    }

    private static func verdict(on report: ReconciliationReport) -> String {
        if report.isEqual { return "Source and mirror are equal." }
        if report.hasDifferences { return "Source and mirror are not equal." }
        let found = report.entities.allSatisfy(\.findings.drift.isEmpty) ? "was found" : "is left"
        return "No difference \(found), but not everything was compared."
    }

    private static func text(_ report: ReconciliationReport) -> String {
        var rows = [["entity", "state", "listed", "compared", "details", "calls", "drift"]]
        for (entity, findings) in report.entities {
            let kinds = Drift.Kind.allCases.compactMap { kind in
                findings.counts[kind].map { "\($0) \(kind.rawValue.replacing("_", with: " "))" }
            }
            rows.append([
                entity, findings.state.rawValue, findings.listed.grouped, findings.rowsCompared.grouped,
                findings.detailsCompared.grouped, findings.calls.grouped, kinds.joined(separator: ", "),
            ])
        }
        var lines = TextTable(rows).lines
        for (entity, findings) in report.entities {
            for drift in findings.drift.prefix(10) {
                let fields = drift.fields.isEmpty ? "" : ": \(drift.fields.joined(separator: ", "))"
                let kind = drift.kind.rawValue.replacing("_", with: " ")
                lines.append("\(entity) \(drift.zohoID) \(drift.isRepaired ? "was" : "is") \(kind)\(fields)")
            }
            if findings.drift.count > 10 {
                lines.append("\(entity): \((findings.drift.count - 10).grouped) more, see sync_reconciliations.drift")
            }
            if !findings.duplicates.isEmpty {
                lines.append("\(entity): appeared twice in Zoho's list: \(text(findings.duplicates))")
            }
            if !findings.moved.isEmpty {
                lines.append("\(entity): moved between pages while they were listed: \(text(findings.moved))")
            }
            if let note = findings.note { lines.append("\(entity): \(note)") }
        }
        lines.append("\(verdict(on: report)) \(report.calls.grouped) calls.")
        if report.detailsNotRead > 0 {
            lines.append(
                "The details of \(report.detailsNotRead.grouped) records, which lists do not show, were not read; "
                    + "compare them with --deep.")
        }
        return lines.joined(separator: "\n")
    }
}

/// What a comparison costs, as JSON for machines.
private struct CostDocument: Encodable {
    let lists: [String: Int]
    let passes: Int
    let samples: Int
    let confirmations: Int
    let atMost: Int

    init(_ cost: ReconciliationCost) {
        lists = cost.lists
        passes = cost.passes
        samples = cost.samples
        confirmations = cost.confirmations
        atMost = cost.ceiling
    }
}

/// What a comparison found, as JSON for machines.
private struct ReconciliationDocument: Encodable {
    struct Entity: Encodable {
        let entity: String
        let state: String
        let listed: Int
        let rowsCompared: Int
        let detailsCompared: Int
        let calls: Int
        let counts: [String: Int]
        let duplicates: Int
        let duplicatedIds: [String]
        let moved: Int
        let movedIds: [String]
        let unconfirmed: Int
        let unread: Int
        let outstanding: Int
        let unproven: Int
        let detailsNotRead: Int
        @Nullable var note: String?
        let drift: [Record]
    }

    struct Record: Encodable {
        let zohoId: String
        let kind: String
        let fields: [String]
        let repaired: Bool
    }

    let equal: Bool
    let calls: Int
    let callsAtMost: Int
    let entities: [Entity]

    init(_ report: ReconciliationReport) {
        equal = report.isEqual
        calls = report.calls
        callsAtMost = report.cost.ceiling
        entities = report.entities.map { entity, findings in
            Entity(
                entity: entity, state: findings.state.rawValue, listed: findings.listed,
                rowsCompared: findings.rowsCompared, detailsCompared: findings.detailsCompared, calls: findings.calls,
                counts: Dictionary(
                    uniqueKeysWithValues: Drift.Kind.allCases.map { ($0.rawValue, findings.counts[$0] ?? 0) }),
                duplicates: findings.duplicates.count, duplicatedIds: findings.duplicates,
                moved: findings.moved.count, movedIds: findings.moved,
                unconfirmed: findings.unconfirmed + findings.undecided, unread: findings.unread,
                outstanding: findings.outstanding, unproven: findings.unproven,
                detailsNotRead: findings.detailsNotRead, note: findings.note,
                drift: findings.drift.map {
                    Record(zohoId: $0.zohoID, kind: $0.kind.rawValue, fields: $0.fields, repaired: $0.isRepaired)
                })
        }
    }
}
