extension Entity {
    /// Bills of vendors with their line items (reference, section 6.10).
    static let bills = Entity(
        name: "bills",
        module: Module(
            path: "bills", detailKey: "bill", modifiedFilter: .documented, everything: "Status.All",
            stableSort: "created_time", scope: "ZohoBooks.bills.READ"),
        keyColumn: "zoho_bill_id", idKeys: ["bill_id"],
        fields: [
            .text("bill_number"),
            .text("zoho_vendor_id", "vendor_id"),
            .text("vendor_name"),
            .date("bill_date", "date"),
            .date("due_date"),
        ] + Field.saleDetails + [
            .decimal("balance", strict: true),
            .json("payments"),
        ],
        children: [.lines("bill_line_items")],
        inactiveStatuses: ["void"],
        references: ["vendors", "products"],
        webhookName: "bills")
}
