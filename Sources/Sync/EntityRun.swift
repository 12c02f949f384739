import Catalog
import Mirror

/// One entity's run and cursor as they stand after the last commit.
struct EntityRun: Sendable {
    let mapping: EntityMapping
    var run: Run
    var cursor: Cursor

    /// The state after a batch of a list page was applied.
    ///
    /// - Parameters:
    ///   - page: what the page adds, or nil for all but the page's last batch, which alone moves the cursor.
    ///   - listStartedAt: when the list began, in microseconds since 1970.
    func after(_ result: ApplyResult, page: PageStep?, listStartedAt: Int64) -> EntityRun {
        var next = self
        next.run.progress.add(result)
        next.cursor.resumeModified = [cursor.resumeModified, result.modifiedThrough].compactMap(\.self).max()
        guard let page else { return next }
        next.run.progress.pages += page.pages
        next.run.progress.calls += page.pages
        next.run.progress.fetched += page.fetched
        next.run.progress.skipped += page.skipped
        next.run.progress.listMilliseconds = page.milliseconds
        guard page.isLast else {
            next.cursor.resumePlan = page.plan
            next.cursor.resumePage = page.number + 1
            return next
        }
        if page.movesCursor {
            next.cursor.modifiedThrough = [cursor.modifiedThrough, next.cursor.resumeModified].compactMap(\.self).max()
            next.cursor.listedAt = listStartedAt
            if let count = page.listCount { next.cursor.listCount = count }
        }
        next.cursor.resumePlan = nil
        next.cursor.resumePage = nil
        next.cursor.resumeModified = nil
        return next
    }
}

/// What one page adds to a run.
struct PageStep: Sendable {
    let number: Int
    let isLast: Bool
    /// Whether the list shows everything, so that its end moves the cursor.
    let movesCursor: Bool
    /// The plan's name, under which an interrupted list goes on.
    let plan: String
    /// 1 for the entity that the page is counted for, 0 for its siblings from the same module.
    let pages: Int
    let fetched: Int
    let skipped: Int
    /// How many records the list has, with its last page.
    let listCount: Int?
    let milliseconds: Int
}
