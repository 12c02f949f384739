import Catalog
import Database
import Foundation
import Mirror
import Sync
import ZohoBooks

/// A sync that has begun.
struct StartedDocument: Encodable {
    let run: RunDocument
    let entities: [String]
}

struct RunsDocument: Encodable {
    let runs: [RunDocument]
}

/// What a sync that was waited for has done.
struct SyncResultDocument: Encodable {
    let success: Bool
    let message: String
    let stats: Stats
    let durationSeconds: Double
    let error: String?
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

        init(_ runs: [Run]) {
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
            detailsOutstanding = sum { $0.detailsOutstanding ?? 0 }
            successful = inserted + updated + unchanged + stale + deleted + restored
            totalProcessed = successful + failed + skipped
        }
    }

    /// - Parameters:
    ///   - startedAt: microseconds since 1970.
    ///   - endedAt: microseconds since 1970.
    init(_ result: Result<SyncReport, any Error>, startedAt: Int64, endedAt: Int64) {
        durationSeconds = Double(endedAt - startedAt) / 1_000_000
        switch result {
        case .success(let report):
            stats = Stats(report.runs)
            runs = report.runs.map { RunDocument($0) }
            success = report.isSuccess
            error = report.runs.compactMap(\.lastError).first
            if let returns = report.quotaReturnsAt {
                message = """
                    Zoho allows no more calls until \(Timestamp.seconds(returns)); \
                    \(report.detailsOutstanding) details are outstanding and come with the next sync.
                    """
            } else if report.isSuccess {
                message = "Everything that was asked for is in the mirror."
            } else if stats.failed > 0 {
                message = "\(stats.failed) records could not be applied; see /api/zoho/dead-letters."
            } else {
                message = "The sync has failed."
            }
        case .failure(let failure):
            stats = Stats([])
            runs = []
            success = false
            error = Problem(failure).detail
            message = "The sync has failed."
        }
    }
}

struct StatusDocument: Encodable {
    let entities: [EntityStatusDocument]
    let budget: BudgetDocument
}

struct EntityStatusDocument: Encodable {
    let entity: String
    let rows: Int
    let deletedRows: Int
    let lastRun: RunDocument?
    let cursor: CursorDocument
    let detailsOutstanding: Int

    init(
        entity: String, rows: (present: Int, deleted: Int), lastRun: Run?, cursor: Cursor, detailsOutstanding: Int
    ) {
        self.entity = entity
        self.rows = rows.present
        deletedRows = rows.deleted
        self.lastRun = lastRun.map { RunDocument($0) }
        self.cursor = CursorDocument(
            modifiedThrough: cursor.modifiedThrough.map { Timestamp.text($0) },
            listedAt: cursor.listedAt.map { Timestamp.text($0) }, resumesAtPage: cursor.resumePage)
        self.detailsOutstanding = detailsOutstanding
    }
}

struct CursorDocument: Encodable {
    /// The latest modification that a complete list has shown.
    let modifiedThrough: String?
    /// When that list began.
    let listedAt: String?
    /// Where an interrupted list goes on.
    let resumesAtPage: Int?
}

struct BudgetDocument: Encodable {
    let remainingThisMinute: Int?
    let remainingToday: Int?
    let dailyLimit: Int?
    let returnsAt: String?

    init(_ budget: BudgetSnapshot) {
        remainingThisMinute = budget.remainingThisMinute
        remainingToday = budget.remainingToday
        dailyLimit = budget.dailyLimit
        returnsAt = budget.returnsAt.map { Timestamp.text(Int64($0.timeIntervalSince1970 * 1_000_000)) }
    }
}

extension SyncOptions {
    /// The names of the entities that the options ask for.
    var entityNames: [String] { entities.isEmpty ? Catalog.entities.map(\.entity.name) : entities }
}
