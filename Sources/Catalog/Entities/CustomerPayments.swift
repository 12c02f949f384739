extension Entity {
    /// Payments of customers and the invoices they were applied to (reference, section 6.7).
    ///
    /// When one was modified is `last_modified_time` in the list and `updated_time` in its details.
    static let customerPayments = Entity(
        name: "customer_payments",
        module: Module(
            path: "customerpayments", detailKey: "payment", otherDeliveryKey: "customer_payment",
            modifiedFilter: .probed, modifiedKeys: ["last_modified_time", "updated_time"], everything: nil,
            stableSort: "created_time", scope: "ZohoBooks.customerpayments.READ"),
        keyColumn: "zoho_payment_id", idKeys: ["payment_id"],
        fields: [
            .text("payment_number"),
            .text("zoho_customer_id", "customer_id"),
            .text("customer_name"),
            .date("payment_date", "date"),
            .text("payment_mode"),
            .decimal("amount", strict: true),
            .decimal("unused_amount", strict: true),
            .decimal("bank_charges", in: .detail),
            .text("currency_code", in: .detail),
            .decimal("exchange_rate", in: .detail),
            .text("reference_number"),
            .text("description"),
            .text("account_name"),
            .text("invoice_numbers", in: .list),
            .customFields,
        ],
        children: [
            Child(
                table: "customer_payment_invoices", keyColumn: "zoho_invoice_payment_id",
                idKeys: ["invoice_payment_id"], sources: [.array("invoices")],
                fields: [
                    .text("zoho_invoice_id", "invoice_id"), .text("invoice_number"), .date("invoice_date", "date"),
                    .decimal("amount_applied", strict: true), .decimal("invoice_total", "total"),
                    .decimal("invoice_balance", "balance"),
                ])
        ],
        inactiveStatuses: ["void"],
        references: ["customers", "invoices"],
        webhookName: "payments")
}
