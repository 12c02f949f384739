import Catalog
import Database
import Mirror
import ZohoBooks

/// A page whose records have become rows, sorted by the entity that owns them.
struct MappedPage: Sendable {
    let number: Int
    let hasMore: Bool
    let total: Int?
    let fetched: Int
    /// The latest `last_modified_time` on the page, whichever of the module's entities it is of.
    let modifiedThrough: Int64?
    /// One batch for each entity of the plan, of any size.
    var batches: [Batch]
    /// How many records of each entity a filter left out.
    var skipped: [Int]

    /// Maps a page.
    ///
    /// Pure, and run beside the fetching of other pages.
    init(_ page: RecordPage, _ plan: ListPlan, _ options: SyncOptions, runs: [Run]) {
        number = page.number
        hasMore = page.hasMore
        total = page.total
        fetched = page.records.count
        batches = zip(plan.mappings, runs).map { Batch($0, origin: .run($1.id)) }
        skipped = Array(repeating: 0, count: plan.mappings.count)
        let observedAt = Timestamp.instant(of: page.observedAt)
        let siblings = Catalog.entities(of: plan.module)
        let filter = RecordFilter(options)
        var strangers: [Int64] = []

        for record in page.records {
            if let owner = plan.mappings.firstIndex(where: { (try? $0.owns(record)) ?? true }) {
                batches[owner].add(record, shape: .list, observedAt: observedAt)
            } else if !siblings.contains(where: { (try? $0.owns(record)) ?? true }) {
                // A record of no known entity must not be lost unseen: it becomes a dead letter of the first entity.
                batches[0].reject(
                    record, shape: .list, observedAt: observedAt, reason: "it does not belong to any known entity")
            } else if let modifiedAt = plan.mappings.first?.modifiedAt(of: record) {
                strangers.append(modifiedAt)
            }
        }
        modifiedThrough = (strangers + batches.flatMap { $0.records.compactMap(\.modifiedAt) }).max()
        for (index, mapping) in plan.mappings.enumerated() {
            let before = batches[index].records.count
            batches[index].records = batches[index].records.compactMap { filter.keep($0, mapping) }
            skipped[index] = before - batches[index].records.count
        }
    }
}

/// The filters of a sync, as far as Zoho does not apply them.
struct RecordFilter: Sendable {
    private let modifiedSince: Int64?
    private let isActiveOnly: Bool
    private let isWithStockOnly: Bool
    private let includesImages: Bool

    init(_ options: SyncOptions) {
        modifiedSince = options.modifiedSince
        isActiveOnly = options.isActiveOnly
        isWithStockOnly = options.isWithStockOnly
        includesImages = options.includesImages
    }

    /// The record as the sync wants it, or nil where a filter leaves it out.
    func keep(_ record: MappedRecord, _ mapping: EntityMapping) -> MappedRecord? {
        if let modifiedSince, let modifiedAt = record.modifiedAt, modifiedAt < modifiedSince { return nil }
        if isActiveOnly, record.cells[mapping.isActiveColumn] == .boolean(false) { return nil }
        if isWithStockOnly, let stock = mapping.columns.firstIndex(where: { $0.column == "stock_quantity" }) {
            guard case .decimal(let quantity)? = record.cells[stock], quantity != "0", !quantity.hasPrefix("-") else {
                return nil
            }
        }
        return includesImages ? record : record.leavingOut { mapping.columns[$0].column.hasPrefix("image_") }
    }
}
