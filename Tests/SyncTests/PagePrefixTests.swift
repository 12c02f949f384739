import TestSupport
import Testing

@testable import Sync

@Suite("Pages that are committed side by side")
struct PagePrefixTests {
    @Test("A cursor may name the page after one that closes the last gap, and none before a gap")
    func gaps() {
        var pages = PagePrefix(from: 3)
        #expect(pages.next(after: 4) == nil)
        #expect(pages.next(after: 3) == 4)
        pages.insert(4)
        pages.insert(6)
        #expect(pages.next == 3)
        #expect(pages.next(after: 5) == nil)
        #expect(pages.next(after: 3) == 5)
        pages.insert(3)
        #expect(pages.next == 5)
        #expect(pages.next(after: 5) == 7)
    }

    @Test("Whatever the order of the commits, a cursor never passes a page that is missing", arguments: 0..<200)
    func anyOrder(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let order = Array(1...12).shuffled(using: &random)
        var pages = PagePrefix(from: 1)
        var committed: Set<Int> = []
        for page in order {
            if let next = pages.next(after: page) {
                #expect(committed.union([page]).isSuperset(of: 1..<next))
            } else {
                #expect(!committed.isSuperset(of: 1..<page))
            }
            pages.insert(page)
            committed.insert(page)
        }
        #expect(pages.next == 13)
    }
}
