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
    /// Calls that were made since the last page.
    let calls: Int
    let fetched: Int
    let skipped: Int
    /// How many records the list has, with its last page.
    let listCount: Int?
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
    ///   - next: the first page that is missing then.
    ///   - listStartedAt: when the list began, in microseconds since 1970.
    func after(_ result: ApplyResult, _ page: PageStep, resumingAt next: Int, listStartedAt: Int64) -> Cursor {
        var cursor = self
        cursor.see(result)
        guard page.isLast else {
            cursor.resumePlan = page.plan
            cursor.resumePage = next
            return cursor
        }
        if page.movesCursor {
            cursor.modifiedThrough = [modifiedThrough, cursor.resumeModified].compactMap(\.self).max()
            cursor.listedAt = listStartedAt
            if let count = page.listCount { cursor.listCount = count }
        }
        cursor.resumePlan = nil
        cursor.resumePage = nil
        cursor.resumeModified = nil
        return cursor
    }

    /// Notes the latest modification that a batch has shown.
    mutating func see(_ result: ApplyResult) {
        resumeModified = [resumeModified, result.modifiedThrough].compactMap(\.self).max()
    }
}
