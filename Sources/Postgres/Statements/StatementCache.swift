/// Which statements this connection has prepared, by their text; forgets the one unused longest.
struct StatementCache {
    private struct Entry {
        let name: String
        var lastUse: Int
    }

    private var entries: [String: Entry] = [:]
    private let limit: Int
    private var uses = 0
    private var named = 0
    /// Names that the server may still know and nobody will use again.
    private(set) var retired: [String] = []

    init(limit: Int = 200) {
        self.limit = limit
    }

    /// The name under which the statement is prepared, or nil.
    mutating func name(of sql: String) -> String? {
        uses += 1
        guard let index = entries.index(forKey: sql) else { return nil }
        entries.values[index].lastUse = uses
        return entries.values[index].name
    }

    func isPrepared(_ sql: String) -> Bool { entries[sql] != nil }

    /// A name that this connection has never used.
    mutating func freshName() -> String {
        named += 1
        return "s\(named)"
    }

    /// Remembers a statement that has been prepared, and retires the one unused longest when there are too many.
    mutating func insert(_ sql: String, name: String) {
        if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            forget(oldest.key)
        }
        entries[sql] = Entry(name: name, lastUse: uses)
    }

    /// Retires a statement whose plan has become invalid.
    mutating func forget(_ sql: String) {
        if let entry = entries.removeValue(forKey: sql) { retired.append(entry.name) }
    }

    /// Follows a `DISCARD` or `DEALLOCATE ALL`: the server has forgotten everything.
    mutating func removeAll() {
        entries.removeAll()
        retired.removeAll()
    }

    /// The retired names, to be deallocated now.
    mutating func takeRetired() -> [String] {
        defer { retired.removeAll() }
        return retired
    }
}
