extension Entity {
    /// Credit notes with their line items (reference, section 6.6).
    ///
    /// Their details are documented with `updated_time`, and were seen with `last_modified_time` too.
    static let creditNotes = Entity(
        name: "credit_notes",
        module: Module(
            path: "creditnotes", detailKey: "creditnote", modifiedFilter: .documented,
            modifiedKeys: ["last_modified_time", "updated_time"], everything: "Status.All", stableSort: "created_time",
            scope: "ZohoBooks.creditnotes.READ"),
        keyColumn: "zoho_creditnote_id", idKeys: ["creditnote_id"],
        fields: [
            .text("creditnote_number"),
            .text("zoho_customer_id", "customer_id"),
            .text("customer_name"),
            .date("creditnote_date", "date"),
        ] + Field.saleDetails + [
            .decimal("balance", strict: true),
            .json("applied_invoices", "invoices"),
        ],
        children: [.lines("credit_note_line_items")],
        inactiveStatuses: ["void"],
        references: ["customers", "products"],
        webhookName: "credit-notes")
}
