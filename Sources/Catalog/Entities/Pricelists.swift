extension Entity {
    /// Price lists with their prices (reference, section 6.4).
    ///
    /// Whether a changed price moves the list's `last_modified_time` is unknown and there is no webhook, so that
    /// details are read again when they are six hours old; an organisation has few lists.
    static let pricelists = Entity(
        name: "pricelists",
        module: Module(
            path: "pricebooks", detailKey: "pricebook", modifiedFilter: .never, everything: nil, stableSort: nil,
            detailLifetime: 6 * 3_600, scope: "ZohoBooks.settings.READ"),
        keyColumn: "zoho_pricebook_id", idKeys: ["pricebook_id"],
        fields: [
            .text("name"),
            .text("description"),
            .text("currency_code"),
            .text("pricelist_type", "pricebook_type"),
            .text("pricing_scheme"),
            .decimal("percentage", strict: true),
            .boolean("is_increase"),
            .text("rounding_type"),
            .integer("decimal_place"),
            .text("sales_or_purchase", "sales_or_purchase_type"),
            .boolean("is_default", in: .detail),
        ],
        children: [
            Child(
                table: "product_prices", keyColumn: "zoho_pricebook_item_id", idKeys: ["pricebook_item_id"],
                sources: [.nested("pricebook_items", inner: "price_brackets")],
                fields: [
                    .text("zoho_item_id", "item_id"), .text("product_name", "name"),
                    .decimal("price", "pricebook_rate", strict: true),
                    .decimal("discount", "pricebook_discount"), .decimal("start_quantity"), .decimal("end_quantity"),
                ])
        ],
        references: ["products"],
        markNames: ["prices"])
}
