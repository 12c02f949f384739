import Catalog
import Foundation
import Mirror
import Testing
import ZohoBooks

@testable import Sync

@Suite("The end of a list that comes newest first")
struct ListEndTests {
    private static let second: Int64 = 1_000_000

    /// A plan for contacts that stops before what is older than 1,000 s less the overlap.
    private static func plan() throws -> ListPlan {
        let mappings = Catalog.entities.filter { $0.entity.module.path == "contacts" }
        let cursors = mappings.map { mapping in
            var cursor = Cursor(entity: mapping.entity.name)
            cursor.listedAt = 1_000 * second
            cursor.wholeListAt = 1_000 * second
            cursor.modifiedThrough = 1_000 * second
            return cursor
        }
        return ListPlan(
            try #require(mappings.first).entity.module, mappings, options: SyncOptions(), cursors: cursors,
            honoursModifiedFilter: false, now: 0)
    }

    private static func page(_ times: [Int?], sortColumn: String? = nil) -> RecordPage {
        let records = times.enumerated().map { index, time in
            let modified = time.map {
                ",\"last_modified_time\":\"\(Date(timeIntervalSince1970: Double($0)).formatted(.iso8601))\""
            }
            return RawJSON(Array("{\"contact_id\":\"\(index)\"\(modified ?? "")}".utf8)[...])
        }
        return RecordPage(
            number: 1, records: records, hasMore: true, total: nil, sortColumn: sortColumn, observedAt: Date())
    }

    @Test("A page that reaches what is known is the last one")
    func reached() throws {
        var end = ListEnd(try Self.plan())
        #expect(end.ended(Self.page([3_000, 2_000, nil, 900])).hasMore)
        #expect(!end.ended(Self.page([900, nil, 800, 600, nil], sortColumn: "last_modified_time")).hasMore)
    }

    @Test("A page in another order, or of a server that says so, ends nothing, and nor do those that follow")
    func outOfOrder() throws {
        for page in [Self.page([600, 3_000, 500]), Self.page([500, 500, 500], sortColumn: "contact_name")] {
            var end = ListEnd(try Self.plan())
            #expect(end.ended(page).hasMore)
            #expect(end.ended(Self.page([500, 400])).hasMore)
        }
    }

    @Test("The watermark is bounded by the beginning of the list by Zoho's clock")
    func bound() {
        func step(_ seen: Int64) -> PageStep {
            PageStep(
                number: 1, isLast: true, movesCursor: true, plan: "p", listStartedAt: 100, zohoStartedAt: 70,
                resumableUntil: 200, modifiedThrough: seen, pages: 1, calls: 1, fetched: 1, skipped: 0, listCount: 1,
                isShort: false,
                milliseconds: 1)
        }
        var cursor = Cursor(entity: "invoices")
        #expect(cursor.after(step(60), seen: 60, resumingAt: 2).modifiedThrough == 60)
        #expect(cursor.after(step(90), seen: 90, resumingAt: 2).modifiedThrough == 70)
        #expect(cursor.after(step(90), seen: 90, resumingAt: 2).listedAt == 100)
        cursor.modifiedThrough = 9_999
        #expect(cursor.after(step(60), seen: 60, resumingAt: 2).modifiedThrough == 70)
    }
}
