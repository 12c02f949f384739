extension Entity {
    /// Sales orders with their line items (reference, section 6.8).
    static let salesOrders = Entity(
        name: "sales_orders",
        module: Module(
            path: "salesorders", detailKey: "salesorder", modifiedFilter: .documented, everything: "Status.All",
            stableSort: "created_time", scope: "ZohoBooks.salesorders.READ"),
        keyColumn: "zoho_salesorder_id", idKeys: ["salesorder_id"],
        fields: [
            .text("salesorder_number"),
            .text("zoho_customer_id", "customer_id"),
            .text("customer_name"),
            .date("order_date", "date"),
            .date("shipment_date"),
            .text("order_status", in: .preview),
            .text("invoiced_status", in: .preview),
            .text("paid_status", in: .preview),
            .text("shipped_status", in: .preview),
        ] + Field.saleDetails,
        children: [.lines("sales_order_line_items")],
        inactiveStatuses: ["void"],
        references: ["customers", "products"],
        webhookName: "orders")
}
