import Catalog
import Database

/// Which of the rows that lack their detail are to get it; the others stay as they are.
package struct DueFilter: Sendable, Hashable {
    /// Only records modified since, in microseconds since 1970.
    package var modifiedSince: Int64?
    /// Leaves out inactive records; those of which nothing is known stay.
    package var isActiveOnly: Bool
    /// Only products that have stock.
    package var isWithStockOnly: Bool

    package init(modifiedSince: Int64? = nil, isActiveOnly: Bool = false, isWithStockOnly: Bool = false) {
        self.modifiedSince = modifiedSince
        self.isActiveOnly = isActiveOnly
        self.isWithStockOnly = isWithStockOnly
    }

    /// What a row has to meet, to be added to a condition whose parameters end before `first`.
    func condition(_ mapping: EntityMapping, from first: Int) -> (sql: String, values: [SQLValue]) {
        var sql = ""
        var values: [SQLValue] = []
        if let modifiedSince {
            sql += " and (zoho_modified_at is null or zoho_modified_at >= $\(first))"
            values.append(.instant(modifiedSince))
        }
        if isActiveOnly {
            sql += " and (is_active is null or is_active = $\(first + values.count))"
            values.append(.boolean(true))
        }
        if isWithStockOnly, mapping.columns.contains(where: { $0.column == "stock_quantity" }) {
            // SQLite keeps decimals as text.
            sql += " and cast(stock_quantity as real) > 0"
        }
        return (sql, values)
    }
}
