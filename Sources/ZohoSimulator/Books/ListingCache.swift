import Synchronization

/// Caches the listings of modules with many touched records, so that a page does not sort all of them again.
final class ListingCache: Sendable {
    struct Key: Hashable, Sendable {
        let module: SimulatorModule
        let filter: ListFilter
        let order: ListOrder
    }

    struct Sums: Sendable {
        var total = 0
        var balance = 0
    }

    private struct Entry: Sendable {
        let version: Int
        let listing: Listing
        var sums: Sums?
    }

    private let entries = Mutex<[Key: Entry]>([:])

    func listing(_ books: Books, _ key: Key) -> Listing { entry(books, key).listing }

    /// The sums of total and balance over a list; each document of it is generated once for a version of the module.
    func sums(_ books: Books, _ key: Key) -> Sums {
        var entry = entry(books, key)
        if let sums = entry.sums { return sums }
        var sums = Sums()
        for index in entry.listing.indices(offset: 0, limit: entry.listing.count, descending: false) {
            let amounts = books.amounts(key.module, index)
            sums.total += amounts.total
            sums.balance += amounts.balance
        }
        entry.sums = sums
        store(entry, key)
        return sums
    }

    private func entry(_ books: Books, _ key: Key) -> Entry {
        let version = books.versions[key.module, default: 0]
        if let entry = entries.withLock({ $0[key] }), entry.version == version { return entry }
        let entry = Entry(version: version, listing: Listing(books, key.module, key.filter, key.order))
        store(entry, key)
        return entry
    }

    private func store(_ entry: Entry, _ key: Key) {
        entries.withLock { entries in
            // Every caller may filter by another time, so the cache only has to last for one scan.
            if entries.count > 32 { entries.removeAll() }
            entries[key] = entry
        }
    }
}
