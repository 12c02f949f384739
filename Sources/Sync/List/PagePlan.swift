/// Which pages of a list to ask for next, so that they can be fetched in parallel without needless calls.
///
/// Where the answer tells the total, every page is known after the first. Where it does not, the number that the last
/// list had is expected. A first list of unknown length may gallop through its first pages in rounds (1, 2 to 4, 5 to
/// 7), each begun when the one before has shown that more follows: of all ways to read seven pages in three rounds it asks
/// for the fewest pages beyond the end, two at most. Otherwise it asks for one page at a time: the calls of the minute are
/// the limit there, and a page too many would only cost one of them.
package struct PagePlan: Sendable, Hashable {
    /// Zoho's page size.
    package static let pageSize = 200
    /// Pages in each round after the first, and the page after which a list of unknown length is read page by page.
    private static let stride = 3
    private static let gallopLimit = 7

    private let first: Int
    private let gallops: Bool
    private var nextPage: Int
    private var lastPage: Int?
    private var expectedLast: Int?
    private var highestWithMore: Int
    /// The last page of the round under way, where the length is unknown.
    private var roundEnd: Int
    private var outstanding: Set<Int> = []

    /// - Parameters:
    ///   - first: the page to begin with, from 1.
    ///   - expectedCount: how many records the list is expected to have, where that is known.
    ///   - gallops: whether pages may be asked for that need not exist, for the sake of time.
    package init(from first: Int = 1, expectedCount: Int? = nil, gallops: Bool = true) {
        self.first = first
        self.gallops = gallops
        nextPage = first
        highestWithMore = first - 1
        roundEnd = first - 1
        expectedLast = expectedCount.map { Self.pages(for: $0) }
    }

    /// The number of pages that hold this many records; an empty list has one empty page.
    package static func pages(for count: Int) -> Int { max(1, (count + pageSize - 1) / pageSize) }

    /// Whether every page has been received.
    package var isComplete: Bool { outstanding.isEmpty && lastPage.map { nextPage > $0 } ?? false }

    /// The next page to ask for, or nil while nothing more is known to be needed.
    package mutating func next() -> Int? {
        if outstanding.isEmpty, nextPage > roundEnd {
            let seen = nextPage - first
            roundEnd += gallops && seen > 0 && seen < Self.gallopLimit ? Self.stride : 1
        }
        guard nextPage <= allowedThrough else { return nil }
        defer { nextPage += 1 }
        outstanding.insert(nextPage)
        return nextPage
    }

    /// Updates the plan with what an answer says about the list's length.
    package mutating func received(_ page: Int, hasMore: Bool, total: Int?) {
        outstanding.remove(page)
        if hasMore {
            highestWithMore = max(highestWithMore, page)
        } else {
            lastPage = min(lastPage ?? page, page)
        }
        if let total { expectedLast = Self.pages(for: total) }
    }

    private var allowedThrough: Int {
        if let lastPage { return lastPage }
        let certain = highestWithMore + 1
        // An expected length may have become too long by a page; the first page is asked for alone to correct it.
        if let expectedLast { return max(certain, highestWithMore < first ? first : expectedLast) }
        return roundEnd
    }
}
