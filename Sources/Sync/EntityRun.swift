import Catalog
import Mirror
import ZohoBooks

/// One entity's run and cursor as they stand after the last commit.
struct EntityRun: Sendable {
    let mapping: EntityMapping
    /// Counts the calls that are made for this entity, or for its module's first entity.
    let counter: CallCounter
    var run: Run
    var cursor: Cursor
    /// Ids of which details showed that they do not exist; they are marked when all of them are known.
    var gone: Set<String> = []
    /// When Zoho first said so, in microseconds since 1970.
    var goneAt = Int64.max
    /// Rows that Zoho said to be gone, about which nobody has decided, and those of them that its list has shown since.
    var undecided: Set<String> = []
    var reappeared: Set<String> = []
    /// The first changes that a dry run would have made.
    var rehearsed: [RehearsedChange] = []

    /// Changes of each entity that are shown; the counts tell of all.
    private static let shown = 20

    /// Keeps the first changes of a rehearsal.
    mutating func show(_ result: ApplyResult) {
        rehearsed += result.changes.prefix(max(0, Self.shown - rehearsed.count)).map {
            RehearsedChange(entity: run.entity, change: $0)
        }
    }
}

/// What one page adds to a run.
struct PageStep: Sendable {
    let number: Int
    let isLast: Bool
    /// Whether the list shows everything that its kind is to show, so that its end moves the cursor.
    let movesCursor: Bool
    /// The plan's name, under which an interrupted list resumes; nil where it must not.
    let plan: String?
    /// When the list's first page was asked for, that of an interrupted one included; microseconds since 1970.
    let listStartedAt: Int64
    /// The same by Zoho's clock.
    let zohoStartedAt: Int64
    /// Until when the list may be resumed, should it be interrupted now; microseconds since 1970.
    let resumableUntil: Int64
    /// The latest `last_modified_time` on the page, whichever of the module's entities it is of.
    let modifiedThrough: Int64?
    /// 1 for the entity that the page is counted for, 0 for its siblings from the same module.
    let pages: Int
    /// Calls that were made since the last page.
    let calls: Int
    let fetched: Int
    let skipped: Int
    /// How many records the list has, with its last page.
    let listCount: Int?
    /// Whether it is shorter than it said at its beginning: a record that was deleted meanwhile moves the others forward,
    /// one of them to a page that had been read.
    let isShort: Bool
    let milliseconds: Int
}

extension Run.Progress {
    /// What a batch of a list adds.
    func addition(of result: ApplyResult, _ page: PageStep?) -> Run.Progress {
        var addition = Run.Progress()
        addition.add(result)
        addition.listMilliseconds = max(listMilliseconds, page?.milliseconds ?? 0)
        guard let page else { return addition }
        addition.pages = page.pages
        addition.calls = page.calls
        addition.fetched = page.fetched
        addition.skipped = page.skipped
        return addition
    }
}

extension Cursor {
    /// The cursor after a page was applied.
    ///
    /// - Parameters:
    ///   - seen: the latest modification that this page and those before it have shown.
    ///   - next: the first page that is missing then.
    func after(_ page: PageStep, seen: Int64?, resumingAt next: Int) -> Cursor {
        var cursor = self
        guard page.isLast else {
            guard let plan = page.plan else { return cursor }
            cursor.resumePlan = plan
            cursor.resumePage = next
            cursor.resumeModified = seen
            cursor.resumeStartedAt = page.listStartedAt
            cursor.resumeExpiresAt = page.resumableUntil
            return cursor
        }
        if page.movesCursor {
            // What was modified after the list began may stand on a page that had been read by then.
            cursor.modifiedThrough = [modifiedThrough, seen].compactMap(\.self).max().map {
                min($0, page.zohoStartedAt)
            }
            cursor.listedAt = page.listStartedAt
            if let count = page.listCount {
                // Where records are deleted all day, or Zoho counts more of them than it lists, every list is short: one
                // is made again on account of another one, and the next is the one that comes anyway.
                let isRepeated = wholeListAt == nil && listCount != nil
                cursor.listCount = count
                cursor.wholeListAt = page.isShort && !isRepeated ? nil : page.listStartedAt
            }
        }
        if resumePlan == page.plan || page.listCount != nil { cursor.clearResumePoint() }
        return cursor
    }
}
