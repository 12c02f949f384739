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
        if since == nil, kind == .incremental, honoursModifiedFilter {
            let watermarks = cursors.compactMap(\.modifiedThrough)
            if watermarks.count == cursors.count, let earliest = watermarks.min() {
                since = earliest - Int64(Self.overlapSeconds) * 1_000_000
            }
        }
        modifiedSince = options.modifiedSince
        let filter = options.isActiveOnly ? module.activeOnly ?? module.everything : module.everything
        let isFiltered = honoursModifiedFilter && since != nil
        request = ListRequest(
            path: module.path, listKey: module.listKey, filter: filter,
            sortColumn: isFiltered ? "last_modified_time" : module.stableSort,
            modifiedSince: isFiltered ? since.map { Date(timeIntervalSince1970: Double($0) / 1_000_000) } : nil)
        isComplete = options.isUnfiltered
        let sinceName = request.modifiedSince.map { String(Int($0.timeIntervalSince1970)) } ?? "all"
        name = "\(filter ?? "-")/\(request.sortColumn ?? "-")/\(sinceName)/\(isComplete)"
    }

    /// How many records the list is expected to have, from the last complete one of everything.
    func expectedCount(_ cursors: [Cursor]) -> Int? {
        guard request.modifiedSince == nil, isComplete else { return nil }
        return cursors.first?.listCount
    }

    /// The page with which to begin: one before the first that an interrupted list of the same plan lacks, because
    /// records move forward when earlier ones are deleted meanwhile.
    func firstPage(_ cursors: [Cursor]) -> Int {
        let pages = cursors.map { $0.resumePlan == name ? $0.resumePage ?? 1 : 1 }
        return max(1, (pages.min() ?? 1) - 1)
    }
}
