public import struct Foundation.Date

/// What to list: a module's path and the parameters of Zoho's list calls (reference, sections 4 and 5).
public struct ListRequest: Sendable, Hashable {
    /// The path below `/books/v3`, which is also the module's name: `items`, `contacts`.
    public var path: String
    /// The key under which the answer holds the records; mostly the path.
    public var listKey: String
    /// `filter_by`, such as `Status.All`, without which inactive items and contacts stay hidden (section 5.1).
    public var filter: String?
    /// `sort_column`; a column that edits do not touch keeps rows on their page during a scan.
    public var sortColumn: String?
    /// `sort_order`: ascending or descending.
    public var isAscending: Bool
    /// `last_modified_time`: only records modified at or after this second (section 5.3).
    public var modifiedSince: Date?
    /// Asks for the total with the page (`response_option=1`), at no further call.
    public var wantsTotal: Bool

    /// Describes a list.
    public init(
        path: String, listKey: String? = nil, filter: String? = nil, sortColumn: String? = nil,
        isAscending: Bool = true, modifiedSince: Date? = nil, wantsTotal: Bool = false
    ) {
        self.path = path
        self.listKey = listKey ?? path
        self.filter = filter
        self.sortColumn = sortColumn
        self.isAscending = isAscending
        self.modifiedSince = modifiedSince
        self.wantsTotal = wantsTotal
    }
}
