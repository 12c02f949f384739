public import struct Foundation.Date

/// One page of a list: the records as Zoho sent them and what the answer said about the rest of the list.
public struct RecordPage: Sendable {
    /// The page's number, from 1.
    public let number: Int
    /// The records in the order of the list, each cut out of the answer byte by byte.
    public let records: [RawJSON]
    /// `page_context.has_more_page`; false for lists that come without a page context (reference, section 4).
    public let hasMore: Bool
    /// How many records the whole list has, where the module answers `response_option` (reference, section 6.1).
    public let total: Int?
    /// `page_context.sort_column`: by what Zoho says that it sorted; nil where it does not say.
    public let sortColumn: String?
    /// When the answer was asked for.
    ///
    /// Not when it came: Zoho may have read the record at any moment between. What a webhook said meanwhile is not
    /// older for certain, and an answer that claimed to be newer would put the former state back.
    public let observedAt: Date

    /// Puts a page together.
    public init(
        number: Int, records: [RawJSON], hasMore: Bool, total: Int?, sortColumn: String? = nil, observedAt: Date
    ) {
        self.number = number
        self.records = records
        self.hasMore = hasMore
        self.total = total
        self.sortColumn = sortColumn
        self.observedAt = observedAt
    }
}

/// One record read by itself: always complete.
public struct DetailRecord: Sendable {
    /// The record as Zoho sent it, without the envelope.
    public let json: RawJSON
    /// When the answer was asked for; see ``RecordPage/observedAt``.
    public let observedAt: Date

    /// Puts a detail record together.
    public init(json: RawJSON, observedAt: Date) {
        self.json = json
        self.observedAt = observedAt
    }
}
