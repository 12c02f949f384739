import Catalog
import Testing

@Suite("Names")
struct NameTests {
    /// Columns that users rely on by name.
    static let promised = [
        "products": """
        name sku description unit unit_price purchase_price stock_quantity available_stock category_name brand \
        item_type tax_name tax_percentage image_name image_document_id image_url
        """,
        "customers": """
        name company_name customer_type email phone mobile currency_code outstanding_receivable unused_credits \
        payment_terms
        """,
        "customer_addresses": "attention address street2 city state zip country country_code phone address_type",
        "pricelists": """
        name description currency_code pricelist_type percentage is_increase rounding_type sales_or_purchase
        """,
        "product_prices": "zoho_item_id product_name price discount start_quantity end_quantity",
        "invoices": """
        invoice_number zoho_customer_id customer_name invoice_date due_date status currency_code exchange_rate \
        sub_total tax_total discount_total total balance reference_number
        """,
        "invoice_line_items": """
        zoho_item_id product_name description quantity unit unit_price discount_amount tax_percentage line_total \
        line_order
        """,
    ]

    static let keys = [
        "products": "zoho_item_id", "customers": "zoho_contact_id", "customer_addresses": "zoho_address_id",
        "customer_contacts": "zoho_contact_person_id", "vendors": "zoho_contact_id", "pricelists": "zoho_pricebook_id",
        "product_prices": "zoho_pricebook_item_id", "invoices": "zoho_invoice_id",
        "invoice_line_items": "zoho_line_item_id",
    ]

    /// Each table with its key column and its mapped columns.
    static let tables = Catalog.entities.flatMap { mapping in
        [(mapping.entity.name, mapping.entity.keyColumn, mapping.columns.map(\.column))]
            + mapping.children.map { ($0.child.table, $0.child.keyColumn, $0.columns.map(\.column)) }
    }

    @Test("the columns that users rely on exist", arguments: promised.sorted { $0.key < $1.key })
    func promisedColumns(table: String, columns: String) throws {
        let existing = try #require(Self.tables.first { $0.0 == table }).2
        #expect(columns.split(separator: " ").map(String.init).filter { !existing.contains($0) } == [])
    }

    @Test("rows are found by the Zoho ids that users know", arguments: keys.sorted { $0.key < $1.key })
    func keyColumns(table: String, key: String) throws {
        #expect(try #require(Self.tables.first { $0.0 == table }).1 == key)
    }

    @Test("tables are unique and no table has a column twice")
    func unique() {
        #expect(Set(Self.tables.map(\.0)).count == Self.tables.count)
        for (table, key, columns) in Self.tables {
            #expect(Set(columns + [key]).count == columns.count + 1, "\(table)")
        }
    }

    @Test("no mapped column has a name that every table has for itself")
    func reserved() {
        let reserved: Set = [
            "id", "zoho_data", "detail_synced_at", "detail_due", "observed_at", "synced_at", "deleted_at",
            "content_hash",
        ]
        for (table, _, columns) in Self.tables { #expect(reserved.isDisjoint(with: columns), "\(table)") }
    }

    @Test("names of tables and columns are lower snake case")
    func snakeCase() {
        for (table, key, columns) in Self.tables {
            for name in [table, key] + columns {
                #expect(name.wholeMatch(of: /[a-z][a-z0-9]*(_[a-z0-9]+)*/) != nil, "\(table).\(name)")
            }
        }
    }

    @Test("an entity comes after those that it refers to, and webhook names lead to one entity each")
    func order() {
        let names = Catalog.entities.map(\.entity.name)
        for (position, mapping) in Catalog.entities.enumerated() {
            for reference in mapping.entity.references { #expect(names[..<position].contains(reference)) }
        }
        let hooks = Catalog.entities.compactMap(\.entity.webhookName)
        #expect(Set(hooks).count == hooks.count)
    }

    @Test("an entity is found by its name")
    func lookup() {
        #expect(Catalog.entity(named: "invoices")?.entity.module.path == "invoices")
        #expect(Catalog.entity(named: "journals") == nil)
    }
}
