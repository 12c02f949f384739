extension Entity {
    /// Invoices with their line items (reference, section 6.5).
    static let invoices = Entity(
        name: "invoices",
        module: Module(
            path: "invoices", detailKey: "invoice", modifiedFilter: .documented, everything: "Status.All",
            stableSort: "created_time", scope: "ZohoBooks.invoices.READ"),
        keyColumn: "zoho_invoice_id", idKeys: ["invoice_id"],
        fields: [
            .text("invoice_number"),
            .text("zoho_customer_id", "customer_id"),
            .text("customer_name"),
            .date("invoice_date", "date"),
            .date("due_date"),
        ] + Field.saleDetails + [
            .decimal("balance", strict: true),
            .decimal("payment_made", in: .detail),
            .decimal("credits_applied", in: .detail),
            .decimal("write_off_amount"),
            .date("last_payment_date"),
        ],
        children: [.lines("invoice_line_items")],
        inactiveStatuses: ["void"],
        references: ["customers", "products"],
        webhookName: "invoices")
}

extension Field {
    /// What sales and purchase documents have in common.
    static let saleDetails: [Field] = [
        .text("reference_number"),
        .text("currency_code"),
        .decimal("exchange_rate", in: .preview),
        .decimal("total", strict: true),
        .decimal("sub_total", in: .preview),
        .decimal("tax_total", in: .detail),
        .decimal("discount_total", in: .detail),
        .decimal("shipping_charge", in: .preview),
        .decimal("adjustment", in: .preview),
        .boolean("is_inclusive_tax", in: .detail),
        .integer("payment_terms", in: .detail),
        .text("payment_terms_label", in: .detail),
        .text("salesperson_name", in: .preview),
        .text("notes", in: .detail),
        .text("terms", in: .detail),
        .json("billing_address"),
        .json("shipping_address"),
        .json("taxes"),
        .customFields,
    ]
}

extension Child {
    /// The lines of a document, in their order.
    static func lines(_ table: String) -> Child {
        Child(
            table: table, keyColumn: "zoho_line_item_id", idKeys: ["line_item_id"], sources: [.array("line_items")],
            fields: [
                .text("zoho_item_id", "item_id"), .text("product_name", "name"), .text("sku"), .text("description"),
                .decimal("quantity", strict: true), .text("unit"), .decimal("unit_price", "rate", strict: true),
                .decimal("discount_amount"), .text("tax_name"), .decimal("tax_percentage"),
                .decimal("line_total", "item_total", strict: true), .text("account_name"),
            ],
            orderColumn: "line_order")
    }
}
