extension Entity {
    /// Items (reference, section 6.2).
    ///
    /// Stock changes may not move an item's `last_modified_time`, so an incremental run reads the whole list: a shop
    /// that sells from the mirror needs the stock more than it needs the calls.
    static let products = Entity(
        name: "products",
        module: Module(
            path: "items", detailKey: "item", detail: .itemDetails(size: 100), modifiedFilter: .never,
            everything: "Status.All", activeOnly: "Status.Active", stableSort: "name",
            scope: "ZohoBooks.settings.READ"),
        keyColumn: "zoho_item_id", idKeys: ["item_id"],
        fields: [
            .text("name", "name", "item_name"),
            .text("sku"),
            .text("description"),
            .text("unit"),
            .decimal("unit_price", "rate", strict: true),
            .decimal("purchase_price", "purchase_rate", strict: true),
            .text("purchase_description"),
            .decimal("stock_quantity", "stock_on_hand", strict: true),
            .decimal("available_stock", strict: true),
            .decimal("actual_available_stock"),
            .decimal("committed_stock", in: .detail),
            .decimal("reorder_level"),
            .text("category_id", in: .preview),
            .text("category_name", in: .preview),
            .text("brand"),
            .text("manufacturer"),
            .text("item_type"),
            .text("product_type"),
            .text("tax_id"),
            .text("tax_name"),
            .decimal("tax_percentage"),
            .boolean("is_taxable", in: .preview),
            .text("account_name"),
            .text("purchase_account_name"),
            .text("vendor_name", in: .detail),
            .text("upc"),
            .text("ean"),
            .text("isbn"),
            .text("part_number"),
            .text("hsn_or_sac"),
            .boolean("can_be_sold"),
            .boolean("can_be_purchased"),
            .boolean("track_inventory"),
            .text("image_name"),
            .text("image_type"),
            .text("image_document_id"),
            // Zoho sends no URL (reference, section 6.2); whoever serves the images fills it, and no record blanks it.
            .text("image_url", in: .list),
            .json("package_details"),
            .json("locations", "locations", "warehouses"),
            .json("tags", in: .preview),
            .customFields,
        ],
        webhookName: "products", markNames: ["stock", "prices"])
}
