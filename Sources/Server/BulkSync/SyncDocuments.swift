import Catalog
import Database
package import Mirror
import Sync
package import ZohoBooks

/// A sync that has begun.
struct StartedDocument: Encodable {
    let run: RunDocument
    let entities: [String]
}

struct RunsDocument: Encodable {
    let runs: [RunDocument]
}

/// The result of a sync that the request waited for.
struct SyncResultDocument: Encodable {
    let success: Bool
    let message: String
    let stats: Stats
    let durationSeconds: Double
    @Nullable var error: String?
    let runs: [RunDocument]

    struct Stats: Encodable {
        let totalProcessed: Int
        let successful: Int
        let failed: Int
        let skipped: Int
        let inserted: Int
        let updated: Int
        let unchanged: Int
        let stale: Int
        let deleted: Int
        let restored: Int
        let calls: Int
        let details: Int
        let detailsOutstanding: Int

        init(_ runs: [Run], detailsOutstanding: Int) {
            func sum(_ value: (Run.Progress) -> Int) -> Int { runs.reduce(0) { $0 + value($1.progress) } }
            inserted = sum { $0[.inserted] }
            updated = sum { $0[.updated] }
            unchanged = sum { $0[.unchanged] }
            stale = sum { $0[.stale] }
            deleted = sum { $0[.deleted] }
            restored = sum { $0[.restored] }
            failed = sum { $0[.failed] }
            skipped = sum { $0.skipped }
            calls = sum { $0.calls }
            details = sum { $0.details }
            self.detailsOutstanding = detailsOutstanding
            successful = inserted + updated + unchanged + stale + deleted + restored
            totalProcessed = successful + failed + skipped
        }
    }

    /// - Parameters:
    ///   - startedAt: microseconds since 1970.
    ///   - endedAt: microseconds since 1970.
    init(_ result: Result<SyncReport, any Error>, startedAt: Int64, endedAt: Int64) {
        durationSeconds = Double(endedAt - startedAt) / 1_000_000
        let report = (try? result.get()) ?? SyncReport()
        let failure: (any Error)? =
            switch result {
            case .success(let report): report.failure
            case .failure(let error): error
            }
        stats = Stats(report.runs, detailsOutstanding: report.detailsOutstanding)
        runs = report.runs.map { RunDocument($0) }
        success = failure == nil && report.isSuccess
        error = failure.map { Problem($0).detail } ?? report.runs.compactMap(\.lastError).first
        if failure != nil {
            message =
                stats.totalProcessed > 0
                ? "The sync could not continue. What it has written stays, and the next sync brings the rest."
                : "The sync failed; see error."
        } else if let returns = report.quotaReturnsAt {
            let calls =
                report.keepsCalls ? "The rest of today's calls are reserved for lists" : "Zoho allows no more calls"
            let rest =
                report.detailsOutstanding == 1
                ? "1 detail is outstanding, and the next sync reads it."
                : "\(report.detailsOutstanding) details are outstanding, and the next sync reads them."
            message = "\(calls) until \(Timestamp.seconds(returns)); \(rest)"
        } else if report.isSuccess {
            message = "Everything requested is in the mirror."
        } else if stats.failed > 0 {
            message = "\(stats.failed) records could not be applied; see /api/zoho/dead-letters."
        } else {
            message = "The sync failed; see error."
        }
    }
}

/// The state of the mirror as JSON for machines: each entity, and the calls that are left.
package struct StatusDocument: Encodable, Sendable {
    /// In the catalogue's order.
    package let entities: [EntityStatusDocument]
    package let budget: BudgetDocument

    /// Reads the state of every entity.
    ///
    /// - Throws: `DatabaseError` where the mirror cannot be read.
    package init(of mirror: Mirror, budget: BudgetSnapshot) async throws {
        var entities: [EntityStatusDocument] = []
        for mapping in Catalog.entities { entities.append(try await EntityStatusDocument(of: mapping, in: mirror)) }
        self.entities = entities
        self.budget = BudgetDocument(budget)
    }
}

/// The state of one entity.
package struct EntityStatusDocument: Encodable, Sendable {
    package let entity: String
    /// Rows that are not marked as deleted.
    package let rows: Int
    /// Rows that are marked as deleted.
    package let deletedRows: Int
    /// Null where the entity never had a run.
    @Nullable package private(set) var lastRun: RunDocument?
    package let cursor: CursorDocument
    /// Rows that lack their detail record.
    package let detailsOutstanding: Int

    fileprivate init(of mapping: EntityMapping, in mirror: Mirror) async throws {
        entity = mapping.entity.name
        (rows, deletedRows) = try await mirror.rowCounts(of: mapping)
        lastRun = try await mirror.runs(entity: entity, limit: 1).first.map { RunDocument($0) }
        cursor = CursorDocument(try await mirror.cursor(of: entity))
        detailsOutstanding = try await mirror.outstandingDetails(of: mapping)
    }
}

/// Up to where an entity is known to be current.
package struct CursorDocument: Encodable, Sendable {
    /// The latest modification that a complete list has shown.
    @Nullable package private(set) var modifiedThrough: String?
    /// When that list began.
    @Nullable package private(set) var listedAt: String?
    /// The page at which an interrupted list resumes; null where none was interrupted.
    @Nullable package private(set) var resumesAtPage: Int?

    fileprivate init(_ cursor: Cursor) {
        modifiedThrough = cursor.modifiedThrough.map { Timestamp.text($0) }
        listedAt = cursor.listedAt.map { Timestamp.text($0) }
        resumesAtPage = cursor.resumePage
    }
}

/// The calls that Zoho still allows.
package struct BudgetDocument: Encodable, Sendable {
    /// Null where calls are not limited by the minute.
    @Nullable package private(set) var remainingThisMinute: Int?
    /// Null until an answer of Zoho's has told it.
    @Nullable package private(set) var remainingToday: Int?
    /// Calls that the plan allows a day; null until an answer of Zoho's has told it.
    @Nullable package private(set) var dailyLimit: Int?
    /// When the day's calls return, where that is known.
    @Nullable package private(set) var returnsAt: String?

    fileprivate init(_ budget: BudgetSnapshot) {
        remainingThisMinute = budget.remainingThisMinute
        remainingToday = budget.remainingToday
        dailyLimit = budget.dailyLimit
        returnsAt = budget.returnsAt.map { Timestamp.text(Timestamp.instant(of: $0)) }
    }
}

extension SyncOptions {
    /// The names of the entities that the options ask for.
    var entityNames: [String] { entities.isEmpty ? Catalog.entities.map(\.entity.name) : entities }
}
