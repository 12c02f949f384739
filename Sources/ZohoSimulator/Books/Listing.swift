/// Which records a list shows.
struct ListFilter: Sendable, Hashable {
    /// The generated records that belong.
    var mask = Mask.all
    /// The statuses that belong; nil for all.
    var statuses: Set<String>?
    /// Only vendors or only customers.
    var isVendor: Bool?
    /// Only records changed then or later, in seconds since 1970.
    var modifiedSince: Int?
}

/// The orders a list can have; every other `sort_column` is ignored, as Zoho ignores what it does not know.
///
/// The generated records are in order of their index in each of them. Edited ones move if the edit changed the key.
/// Texts compare byte by byte; equal keys stand in order of index.
enum ListOrder: Sendable, Hashable {
    case name
    case created
    case modified
    /// The day of a document.
    case date
}

/// A sorted, filtered list that knows its length and can find any of its pages without the ones before it.
///
/// Untouched records are counted without being generated. Each touched one is examined once for each listing.
struct Listing: Sendable {
    private let mask: Mask
    private let first: Int
    private let firstRank: Int
    /// Indices of generated records that are not where they were, ascending, and their ranks in the mask.
    private let removed: [Int]
    private let removedRanks: [Int]
    /// Touched records in their order, and their positions in the whole list.
    private let moved: [Int]
    private let positions: [Int]

    /// How many records the list has.
    let count: Int

    init(_ books: Books, _ module: SimulatorModule, _ filter: ListFilter, _ order: ListOrder) {
        let generator = books.generator
        let total = generator.count(module)
        mask = filter.mask
        let first = filter.modifiedSince.map { since in
            Self.firstIndex(below: total) { generator.modified(module, $0) >= since }
        }
        self.first = first ?? 0
        firstRank = mask.rank(self.first)
        let touched = books.overlays[module] ?? [:]
        let mask = mask
        let start = self.first
        removed = touched.keys.filter { $0 < total && $0 >= start && mask.contains($0) }.sorted()
        removedRanks = removed.map { [firstRank] in mask.rank($0) - firstRank }

        let live = touched.filter { index, overlay in !overlay.isDeleted && Self.matches(books, module, index, filter) }
        let sorted = live.keys
            .map { (key: SortKey(books, module, $0, order), index: $0) }
            .sorted { $0.key == $1.key ? $0.index < $1.index : $0.key < $1.key }
        moved = sorted.map(\.index)
        let untouched = mask.rank(total) - firstRank - removed.count
        var positions: [Int] = []
        for (place, entry) in sorted.enumerated() {
            let index = Self.firstIndex(below: total) { candidate in
                let key = SortKey(generator, module, candidate, order)
                return key == entry.key ? candidate > entry.index : entry.key < key
            }
            let before = index <= start ? 0 : mask.rank(index) - firstRank - Self.countBelow(index, in: removed)
            positions.append(before + place)
        }
        self.positions = positions
        count = max(0, untouched) + moved.count
    }

    /// The indices of the records from `offset` on, at most `limit` of them.
    func indices(offset: Int, limit: Int, descending: Bool) -> [Int] {
        guard offset < count, limit > 0 else { return [] }
        return (offset..<min(count, offset + limit)).map { index(at: descending ? count - 1 - $0 : $0) }
    }

    private func index(at position: Int) -> Int {
        let before = Self.countBelow(position, in: positions)
        if before < positions.count, positions[before] == position { return moved[before] }
        let rank = position - before
        // The k-th removed record precedes the wanted one if fewer than `rank` others do.
        let skipped = Self.firstIndex(below: removedRanks.count) { removedRanks[$0] - $0 > rank }
        return mask.select(firstRank + rank + skipped)
    }

    private static func matches(_ books: Books, _ module: SimulatorModule, _ index: Int, _ filter: ListFilter) -> Bool {
        if let statuses = filter.statuses, !statuses.contains(books.status(module, index)) { return false }
        if let isVendor = filter.isVendor {
            let type = books.text(module, index, "contact_type")
            if type.map({ $0 == "vendor" }) ?? Generator.isVendor(index) != isVendor { return false }
        }
        return filter.modifiedSince.map { books.modified(module, index) >= $0 } ?? true
    }

    /// How many elements of an ascending array are below a value.
    private static func countBelow(_ value: Int, in ascending: [Int]) -> Int {
        firstIndex(below: ascending.count) { ascending[$0] >= value }
    }

    /// The first index for which a monotonic predicate holds.
    private static func firstIndex(below end: Int, where claim: (Int) -> Bool) -> Int {
        var low = 0
        var high = end
        while low < high {
            let middle = (low + high) / 2
            if claim(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// What a list compares.
private enum SortKey: Comparable {
    case number(Int)
    case text([UInt8])

    init(_ generator: Generator, _ module: SimulatorModule, _ index: Int, _ order: ListOrder) {
        switch order {
        case .created: self = .number(generator.created(module, index))
        case .modified: self = .number(generator.modified(module, index))
        case .date:
            var writer = JSONWriter(capacity: 32)
            writer.date(generator.created(module, index), generator.calendar)
            self = .text(writer.bytes.dropLast().dropFirst().map { $0 })
        case .name:
            var writer = JSONWriter(capacity: 128)
            generator.writeName(module, index, to: &writer)
            self = .text(writer.bytes)
        }
    }

    init(_ books: Books, _ module: SimulatorModule, _ index: Int, _ order: ListOrder) {
        let edited: SortKey? =
            switch order {
            case .modified: .number(books.modified(module, index))
            case .created:
                books.text(module, index, "created_time").flatMap { OrganizationCalendar.instant($0) }.map(Self.number)
            case .date: books.text(module, index, "date").map { .text(Array($0.utf8)) }
            case .name: books.text(module, index, module.nameColumn).map { .text(Array($0.utf8)) }
            }
        self = edited ?? SortKey(books.generator, module, index, order)
    }

    static func < (left: SortKey, right: SortKey) -> Bool {
        switch (left, right) {
        case (.number(let left), .number(let right)): left < right
        case (.text(let left), .text(let right)): left.lexicographicallyPrecedes(right)
        case (.number, .text): true
        case (.text, .number): false
        }
    }
}
