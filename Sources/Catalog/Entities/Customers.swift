extension Entity {
    /// Contacts of the type customer, with their addresses and contact persons (reference, section 6.3).
    static let customers = contact(
        name: "customers", type: "customer", webhookName: "customers",
        fields: [
            .text("customer_type", "customer_sub_type"),
            .decimal("outstanding_receivable", "outstanding_receivable_amount", strict: true),
            .decimal("unused_credits", "unused_credits_receivable_amount", strict: true),
            .decimal("credit_limit", in: .detail),
            .text("zoho_pricebook_id", "pricebook_id", in: .detail),
            .text("pricelist_name", "pricebook_name", in: .detail),
        ])

    /// Contacts of the type vendor.
    static let vendors = contact(
        name: "vendors", type: "vendor", webhookName: "vendors",
        fields: [
            .decimal("outstanding_payable", "outstanding_payable_amount", strict: true),
            .decimal("unused_credits", "unused_credits_payable_amount", strict: true),
        ])

    private static func contact(name: String, type: String, webhookName: String, fields: [Field]) -> Entity {
        Entity(
            name: name,
            module: Module(
                path: "contacts", detailKey: "contact", modifiedFilter: .sorted, everything: "Status.All",
                activeOnly: "Status.Active", stableSort: "created_time", scope: "ZohoBooks.contacts.READ"),
            keyColumn: "zoho_contact_id", idKeys: ["contact_id"],
            fields: [
                .text("name", "contact_name"),
                .text("company_name"),
                .text("contact_number", in: .detail),
                .text("first_name", in: .list),
                .text("last_name", in: .list),
                .text("email", in: .list),
                .text("phone", in: .list),
                .text("mobile", in: .list),
                .text("website"),
                .text("language_code"),
                .text("currency_code"),
                .integer("payment_terms"),
                .text("payment_terms_label"),
                .text("vat_reg_no", in: .detail),
                .text("tax_name", in: .detail),
                .text("primary_contact_id", in: .detail),
                .text("notes", in: .detail),
                .json("tags", in: .preview),
                .customFields,
            ] + fields,
            children: [
                .addresses(of: name),
                Child(
                    table: name == "customers" ? "customer_contacts" : "vendor_contacts",
                    keyColumn: "zoho_contact_person_id", idKeys: ["contact_person_id"],
                    sources: [.array("contact_persons")],
                    fields: [
                        .text("salutation"), .text("first_name"), .text("last_name"), .text("email"), .text("phone"),
                        .text("mobile"), .text("designation"), .text("department"),
                        .boolean("is_primary", "is_primary_contact"),
                    ]),
            ],
            discriminator: .init("contact_type", is: type),
            webhookName: webhookName)
    }
}

extension Child {
    /// Billing, shipping and additional addresses of a contact.
    static func addresses(of entity: String) -> Child {
        Child(
            table: entity == "customers" ? "customer_addresses" : "vendor_addresses", keyColumn: "zoho_address_id",
            idKeys: ["address_id"],
            sources: [
                .object("billing_address", fixed: ["address_type": "billing"]),
                .object("shipping_address", fixed: ["address_type": "shipping"]),
                .array("addresses", fixed: ["address_type": "additional"]),
            ],
            fields: [
                .text("attention"), .text("address"), .text("street2"), .text("city"), .text("state_code"),
                .text("state"), .text("zip", "zip", "zipcode"), .text("country"), .text("country_code"),
                .text("county"), .text("phone"), .text("fax"),
            ])
    }
}
