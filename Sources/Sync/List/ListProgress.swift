import Catalog
import Mirror
import Synchronization

/// The runs and cursors of a list's entities while its pages commit in parallel.
///
/// Pages may commit in any order, but a cursor moves past a page only when every page before it has been committed, and
/// it moves in the transaction of a page. So a cursor never leaves out a page; the worst that an interruption costs is
/// to list again what was committed beyond a gap.
final class ListProgress: Sendable {
    private struct Entry {
        var entity: EntityRun
        var pages: PagePrefix
    }

    private struct State {
        var entries: [Entry]
        /// The latest modification that the list has shown, whichever of the module's entities it is of.
        var seen: Int64?
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - first: the page with which the list begins.
    ///   - seen: the latest modification on the pages before, in microseconds since 1970.
    init(_ entities: [EntityRun], from first: Int, seen: Int64?) {
        state = Mutex(
            State(entries: entities.map { Entry(entity: $0, pages: PagePrefix(from: first)) }, seen: seen))
    }

    /// The entities after the last commit.
    var entities: [EntityRun] { state.withLock { $0.entries.map(\.entity) } }

    /// What is to be written with a batch in its own transaction.
    struct Pending {
        let runID: Int64
        let progress: Run.Progress
        /// Nil while an earlier page is missing.
        let cursor: Cursor?
    }

    /// What a batch adds, before it has been committed.
    ///
    /// - Parameter page: what the page adds, or nil for all but the page's last batch, which alone moves the cursor.
    func pending(_ result: ApplyResult, _ page: PageStep?, of index: Int) -> Pending {
        state.withLock { state in
            let entry = state.entries[index]
            return Pending(
                runID: entry.entity.run.id, progress: entry.entity.run.progress.addition(of: result, page),
                cursor: page.flatMap { page in
                    entry.pages.next(after: page.number).map {
                        entry.entity.cursor.after(page, seen: later(state.seen, page.modifiedThrough), resumingAt: $0)
                    }
                })
        }
    }

    /// Notes records that the list shows although Zoho had said that they are gone.
    func noteSeen(_ batch: Batch, of index: Int) {
        state.withLock { state in
            let undecided = state.entries[index].entity.undecided
            guard !undecided.isEmpty else { return }
            state.entries[index].entity.reappeared.formUnion(batch.records.map(\.id).filter { undecided.contains($0) })
        }
    }

    /// Counts a batch that has been committed, or rehearsed.
    func add(_ result: ApplyResult, _ page: PageStep?, of index: Int, isRehearsal: Bool = false) {
        state.withLock { state in
            var entry = state.entries[index]
            if isRehearsal { entry.entity.show(result) }
            entry.entity.run.progress.add(entry.entity.run.progress.addition(of: result, page))
            if let page {
                state.seen = later(state.seen, page.modifiedThrough)
                entry.pages.insert(page.number)
                entry.entity.cursor = entry.entity.cursor.after(
                    page, seen: state.seen, resumingAt: entry.pages.next)
            }
            state.entries[index] = entry
        }
    }
}

private func later(_ one: Int64?, _ other: Int64?) -> Int64? { [one, other].compactMap(\.self).max() }

/// The pages of a list that are committed without a gap.
struct PagePrefix: Sendable, Hashable {
    /// The first page that is missing.
    private(set) var next: Int
    private var beyond: Set<Int> = []

    init(from first: Int) {
        next = first
    }

    /// The first page that will be missing once `page` is there too, or nil where an earlier one is missing.
    func next(after page: Int) -> Int? {
        var prefix = self
        prefix.insert(page)
        return prefix.next > page ? prefix.next : nil
    }

    mutating func insert(_ page: Int) {
        beyond.insert(page)
        while beyond.remove(next) != nil { next += 1 }
    }
}
