import Testing

@testable import Postgres

@Suite("Statement cache")
struct StatementCacheTests {
    @Test("The statement unused longest is retired when there are too many")
    func leastRecentlyUsed() {
        var cache = StatementCache(limit: 2)
        for sql in ["a", "b"] {
            #expect(cache.name(of: sql) == nil)
            cache.insert(sql, name: cache.freshName())
        }
        #expect(cache.name(of: "a") == "s1")
        #expect(cache.name(of: "c") == nil)
        cache.insert("c", name: cache.freshName())
        #expect(cache.name(of: "b") == nil)
        #expect(cache.name(of: "a") == "s1")
        #expect(cache.takeRetired() == ["s2"])
        #expect(cache.takeRetired() == [])
    }

    @Test("A name is never given twice, so that a stale plan cannot be met again")
    func freshNames() {
        var cache = StatementCache()
        cache.insert("a", name: cache.freshName())
        cache.forget("a")
        cache.removeAll()
        #expect(cache.retired == [])
        #expect(cache.name(of: "a") == nil)
        #expect(cache.freshName() == "s2")
    }
}
