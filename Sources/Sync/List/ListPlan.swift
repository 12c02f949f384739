import Catalog
import Foundation
import Mirror
import ZohoBooks

/// How one module is listed for the entities that it feeds.
///
/// Lists are read by page numbers, so they are sorted such that an edit meanwhile moves no record to a page that has
/// been read: by a column that edits leave alone, or newest first, where an edited record moves to the front.
struct ListPlan: Sendable {
    let module: Module
    let mappings: [EntityMapping]
    let kind: Run.Kind
    var request: ListRequest
    /// The list comes newest first and is read no further than this, in microseconds since 1970; nil where it is read to
    /// its end.
    let stopsBefore: Int64?
    /// Whether no filter leaves anything out, so that the list's end moves the cursor.
    let isComplete: Bool
    /// Names the plan, so that an interrupted list is only continued by one that asks for the same.
    let name: String
    /// What the list asks for, without the kind of the run.
    private let listName: String
    /// Whether a list that a run of the other kind has begun may be resumed; a full run begins one of its own.
    private let resumesOtherKind: Bool

    /// An edit in the second of the last one seen, or one that Zoho's index showed late, is found again.
    static let overlapSeconds = 300
    /// Seconds after its last page for which an interrupted list is resumed instead of begun anew.
    static let resumeLifetime = 3_600
    /// The same, counted from the return of the day's calls, where their end interrupted the list: it can be longer
    /// than a day.
    static let resumeLifetimeAfterQuota = 86_400
    /// Seconds after which modification times alone are no longer relied on.
    ///
    /// Only a list of everything shows changes that move no time, and what deletions made an earlier list leave out. It
    /// is half a day longer than the interval of a nightly list.
    private static let wholeListLifetime = 129_600

    init(
        _ module: Module, _ mappings: [EntityMapping], options: SyncOptions, cursors: [Cursor],
        honoursModifiedFilter: Bool, now: Int64
    ) {
        self.module = module
        self.mappings = mappings
        kind = Self.kind(options, cursors)

        var since = options.modifiedSince
        if since == nil, kind == .incremental, honoursModifiedFilter || module.modifiedFilter == .sorted,
            !Self.needsWholeList(options, cursors, at: now)
        {
            let watermarks = cursors.compactMap(\.modifiedThrough)
            if watermarks.count == cursors.count, let earliest = watermarks.min() {
                since = earliest - Int64(Self.overlapSeconds) * 1_000_000
            }
        }
        let filter = options.isActiveOnly ? module.activeOnly ?? module.everything : module.everything
        let isFiltered = honoursModifiedFilter && since != nil
        stopsBefore = module.modifiedFilter == .sorted ? since : nil
        request = ListRequest(
            path: module.path, listKey: module.listKey, filter: filter,
            sortColumn: stopsBefore != nil ? "last_modified_time" : module.stableSort,
            isAscending: stopsBefore == nil,
            modifiedSince: isFiltered ? since.map { Date(timeIntervalSince1970: Double($0) / 1_000_000) } : nil)
        isComplete = options.isUnfiltered
        let sinceName =
            request.modifiedSince.map { String(Int($0.timeIntervalSince1970)) } ?? stopsBefore.map { "\($0)" } ?? "all"
        listName = "\(filter ?? "-")/\(request.sortColumn ?? "-")/\(sinceName)/\(isComplete)"
        name = "\(kind.rawValue)/\(listName)"
        resumesOtherKind = options.mode != .full
    }

    private static func needsWholeList(_ options: SyncOptions, _ cursors: [Cursor], at now: Int64) -> Bool {
        cursors.contains { cursor in
            guard let wholeListAt = cursor.wholeListAt else { return true }
            return options.mode == .automatic && now - wholeListAt > Int64(wholeListLifetime) * 1_000_000
        }
    }

    /// Whether such a sync lists everything, or what changed since the cursors.
    static func kind(_ options: SyncOptions, _ cursors: [Cursor]) -> Run.Kind {
        let known = options.modifiedSince != nil || cursors.allSatisfy { $0.listedAt != nil }
        return options.mode == .full || (options.mode == .automatic && !known) ? .full : .incremental
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

    // MARK: - Going on

    /// The page with which to begin: one before the first that an interrupted list of the same plan lacks, because
    /// records move forward when earlier ones are deleted meanwhile.
    ///
    /// - Parameter now: microseconds since 1970.
    func firstPage(_ cursors: [Cursor], at now: Int64) -> Int {
        // What was modified meanwhile stands before the pages that were read.
        if stopsBefore != nil { return 1 }
        let pages = cursors.map { continues($0, at: now) ? $0.resumePage ?? 1 : 1 }
        return max(1, (pages.min() ?? 1) - 1)
    }

    /// Whether the list may save its resume point in the cursors: a filtered list must not overwrite that of an
    /// interrupted complete one.
    func savesResumePoint(_ cursors: [Cursor], at now: Int64) -> Bool {
        guard stopsBefore == nil else { return false }
        return isComplete
            || cursors.allSatisfy { $0.resumePlan == nil || continues($0, at: now) || !isFresh($0, at: now) }
    }

    private func continues(_ cursor: Cursor, at now: Int64) -> Bool {
        let isSame =
            cursor.resumePlan == name
            || resumesOtherKind
                && [.full, .incremental].contains { (kind: Run.Kind) in
                    cursor.resumePlan == "\(kind.rawValue)/\(listName)"
                }
        return isSame && isFresh(cursor, at: now)
    }

    private func isFresh(_ cursor: Cursor, at now: Int64) -> Bool {
        guard cursor.resumeStartedAt != nil, let expiresAt = cursor.resumeExpiresAt else { return false }
        return now < expiresAt
    }
}

/// Recognises the page on which a list that comes newest first has reached what is known.
///
/// A server that does not know a sort column silently ignores it (reference, section 3.2), so the order is checked; an
/// unsorted list is read to its end.
struct ListEnd: Sendable {
    private let plan: ListPlan
    private var isInOrder = true

    init(_ plan: ListPlan) {
        self.plan = plan
    }

    /// The page, as the last one where what follows is older than the watermark.
    mutating func ended(_ page: RecordPage) -> RecordPage {
        guard let stopsBefore = plan.stopsBefore, page.hasMore, isInOrder, let mapping = plan.mappings.first else {
            return page
        }
        let times = page.records.compactMap { mapping.modifiedAt(of: $0) }
        isInOrder =
            page.sortColumn.map { $0 == plan.request.sortColumn } ?? true
            && zip(times, times.dropFirst()).allSatisfy { $0 >= $1 }
        guard isInOrder, let last = times.last, last < stopsBefore else { return page }
        return RecordPage(
            number: page.number, records: page.records, hasMore: false, total: nil, observedAt: page.observedAt)
    }
}
