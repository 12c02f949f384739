import Sync
import Testing

@Suite("Page plan")
struct PagePlanTests {
    /// Reads a list of `count` records as the list phase does, at most `window` pages at once, and gives the pages asked
    /// for in order.
    private static func calls(
        _ count: Int, total: Int? = nil, expected: Int? = nil, from first: Int = 1, window: Int = 10,
        gallops: Bool = true, newestFirst: Bool = false
    ) -> [Int] {
        var plan = PagePlan(from: first, expectedCount: expected, gallops: gallops)
        let last = PagePlan.pages(for: count)
        var asked: [Int] = []
        var outstanding: [Int] = []
        while !plan.isComplete {
            while outstanding.count < window, let page = plan.next() {
                asked.append(page)
                outstanding.append(page)
            }
            guard !outstanding.isEmpty else { return asked + [-1] }
            let page = newestFirst ? outstanding.removeLast() : outstanding.removeFirst()
            plan.received(page, hasMore: page < last, total: page == first ? total : nil)
        }
        return asked
    }

    @Test(
        "A list whose total is told costs exactly its pages",
        arguments: [0, 1, 199, 200, 201, 400, 1_312, 2_502, 100_000], [1, 3, 10])
    func total(count: Int, window: Int) {
        #expect(Self.calls(count, total: count, window: window) == Array(1...PagePlan.pages(for: count)))
    }

    @Test("A list whose length is the last one's costs exactly its pages", arguments: [1, 200, 1_312, 100_000])
    func expected(count: Int) {
        #expect(Self.calls(count, expected: count) == Array(1...PagePlan.pages(for: count)))
    }

    @Test("A list that has shrunk or grown since is read to its end, and no further than it was")
    func expectationMissed() {
        #expect(Self.calls(600, expected: 1_000) == [1, 2, 3, 4, 5])
        #expect(Self.calls(1_200, expected: 1_000) == [1, 2, 3, 4, 5, 6])
        #expect(Self.calls(100, expected: 1_000) == [1])
    }

    @Test(
        "A list of unknown length costs its pages where they fill the rounds, and never more than two beyond",
        arguments: 1...40, [1, 4, 10])
    func unknown(pages: Int, window: Int) {
        for newestFirst in [false, true] {
            let calls = Self.calls(pages * 200, window: window, newestFirst: newestFirst)
            #expect(Array(calls.prefix(pages)) == Array(1...pages))
            #expect(calls.count <= pages + 2)
            if [1, 4].contains(pages) || pages >= 7 { #expect(calls.count == pages) }
        }
    }

    @Test("The seven pages of 1,312 items take three rounds", arguments: [Int?.none, 1_312])
    func rounds(total: Int?) {
        var plan = PagePlan()
        var rounds: [[Int]] = []
        while !plan.isComplete {
            var round: [Int] = []
            while let page = plan.next() { round.append(page) }
            for page in round { plan.received(page, hasMore: page < 7, total: total) }
            rounds.append(round)
        }
        #expect(rounds == (total == nil ? [[1], [2, 3, 4], [5, 6, 7]] : [[1], [2, 3, 4, 5, 6, 7]]))
    }

    @Test("A list that is read page by page costs exactly its pages", arguments: [1, 200, 201, 900, 1_312, 2_502])
    func pageByPage(count: Int) {
        #expect(Self.calls(count, gallops: false) == Array(1...PagePlan.pages(for: count)))
    }

    @Test("A list that goes on begins at its page and asks for none beyond its end")
    func goesOn() {
        #expect(Self.calls(2_502, from: 9, gallops: false) == [9, 10, 11, 12, 13])
        #expect(Self.calls(2_502, total: 2_502, from: 9) == [9, 10, 11, 12, 13])
    }

    @Test("A total that is too small or too great does not end the list early or late")
    func wrongTotal() {
        #expect(Self.calls(1_000, total: 200) == [1, 2, 3, 4, 5])
        #expect(Self.calls(400, total: 1_000, window: 1) == [1, 2])
    }
}
