import Catalog
import Foundation
import Mirror
import ZohoBooks

/// How one module is listed for the entities that it feeds.
struct ListPlan: Sendable {
    let module: Module
    let mappings: [EntityMapping]
    let kind: Run.Kind
    var request: ListRequest
    /// Records modified before are left out by us, where the module does not do it; microseconds since 1970.
    let modifiedSince: Int64?
    /// The list comes newest first and is read no further than this, in microseconds since 1970; nil where it is read to
    /// its end.
    let stopsBefore: Int64?
    /// Whether the list shows everything, so that its end moves the cursor.
    let isComplete: Bool
    /// Names the plan, so that an interrupted list is only continued by one that asks for the same.
    let name: String

    /// An edit in the second of the last one seen, or one that Zoho's index showed late, is found again.
    static let overlapSeconds = 300

    init(
        _ module: Module, _ mappings: [EntityMapping], options: SyncOptions, cursors: [Cursor],
        honoursModifiedFilter: Bool
    ) {
        self.module = module
        self.mappings = mappings
        let known = cursors.allSatisfy { $0.listedAt != nil }
        kind = options.mode == .full || (options.mode == .automatic && !known) ? .full : .incremental

        var since = options.modifiedSince
        if since == nil, kind == .incremental, honoursModifiedFilter || module.modifiedFilter == .sorted {
            let watermarks = cursors.compactMap(\.modifiedThrough)
            if watermarks.count == cursors.count, let earliest = watermarks.min() {
                since = earliest - Int64(Self.overlapSeconds) * 1_000_000
            }
        }
        modifiedSince = options.modifiedSince
        let filter = options.isActiveOnly ? module.activeOnly ?? module.everything : module.everything
        let isFiltered = honoursModifiedFilter && since != nil
        stopsBefore = module.modifiedFilter == .sorted ? since : nil
        request = ListRequest(
            path: module.path, listKey: module.listKey, filter: filter,
            sortColumn: isFiltered || stopsBefore != nil ? "last_modified_time" : module.stableSort,
            isAscending: stopsBefore == nil,
            modifiedSince: isFiltered ? since.map { Date(timeIntervalSince1970: Double($0) / 1_000_000) } : nil)
        isComplete = options.isUnfiltered
        let sinceName =
            request.modifiedSince.map { String(Int($0.timeIntervalSince1970)) } ?? stopsBefore.map { "\($0)" } ?? "all"
        name = "\(filter ?? "-")/\(request.sortColumn ?? "-")/\(sinceName)/\(isComplete)"
    }

    /// Whether the list has every record of the module.
    var showsEverything: Bool { request.modifiedSince == nil && stopsBefore == nil && isComplete }

    /// How many records the list is expected to have, from the last complete one of everything.
    func expectedCount(_ cursors: [Cursor]) -> Int? {
        // The first page mostly reaches the watermark.
        if stopsBefore != nil { return 1 }
        guard showsEverything else { return nil }
        return cursors.first?.listCount
    }

    /// The page with which to begin: one before the first that an interrupted list of the same plan lacks, because
    /// records move forward when earlier ones are deleted meanwhile.
    func firstPage(_ cursors: [Cursor]) -> Int {
        // What was modified meanwhile stands before the pages that were read.
        if stopsBefore != nil { return 1 }
        let pages = cursors.map { $0.resumePlan == name ? $0.resumePage ?? 1 : 1 }
        return max(1, (pages.min() ?? 1) - 1)
    }

    /// The page, as the last one where what follows is older than the watermark.
    func ended(_ page: RecordPage) -> RecordPage {
        guard let stopsBefore, page.hasMore, let last = page.records.last,
            let modifiedAt = mappings.first?.modifiedAt(of: last), modifiedAt < stopsBefore
        else { return page }
        return RecordPage(
            number: page.number, records: page.records, hasMore: false, total: nil, observedAt: page.observedAt)
    }
}
