/// The modules whose records the simulator generates, spelt as in Zoho's paths (section 6.1).
package enum SimulatorModule: String, Sendable, CaseIterable, Hashable {
    case items
    case contacts
    case pricebooks
    case invoices
    case bills
    case creditnotes
    case salesorders
    case purchaseorders
    case customerpayments
}

extension SimulatorModule {
    /// The key of the list in a list answer.
    var listKey: String { rawValue }

    /// The key of the record in a detail answer.
    var detailKey: String {
        switch self {
        case .items: "item"
        case .contacts: "contact"
        case .pricebooks: "pricebook"
        case .invoices: "invoice"
        case .bills: "bill"
        case .creditnotes: "creditnote"
        case .salesorders: "salesorder"
        case .purchaseorders: "purchaseorder"
        case .customerpayments: "payment"
        }
    }

    /// What Zoho calls one record in a message.
    var noun: String {
        switch self {
        case .items: "Item"
        case .contacts: "Contact"
        case .pricebooks: "Price list"
        case .invoices: "Invoice"
        case .bills: "Bill"
        case .creditnotes: "Credit Note"
        case .salesorders: "Sales Order"
        case .purchaseorders: "Purchase Order"
        case .customerpayments: "Payment"
        }
    }

    var reportName: String {
        switch self {
        case .items: "Items"
        case .contacts: "Contacts"
        case .pricebooks: "PriceBooks"
        case .invoices: "Invoices"
        case .bills: "Bills"
        case .creditnotes: "Credit Notes"
        case .salesorders: "Sales Orders"
        case .purchaseorders: "Purchase Orders"
        case .customerpayments: "Customer Payments"
        }
    }

    /// The scope group that a token needs (section 1.7).
    var scopeGroup: String {
        switch self {
        case .items, .pricebooks: "settings"
        default: rawValue
        }
    }

    /// The space of the module's record ids.
    var idSpace: IDSpace {
        switch self {
        case .items: .item
        case .contacts: .contact
        case .pricebooks: .pricebook
        case .invoices: .invoice
        case .bills: .bill
        case .creditnotes: .creditnote
        case .salesorders: .salesorder
        case .purchaseorders: .purchaseorder
        case .customerpayments: .payment
        }
    }

    /// The key by which names or numbers are sorted; its order is the order of the indices.
    var nameColumn: String {
        switch self {
        case .items, .pricebooks: "name"
        case .contacts: "contact_name"
        case .invoices: "invoice_number"
        case .bills: "bill_number"
        case .creditnotes: "creditnote_number"
        case .salesorders: "salesorder_number"
        case .purchaseorders: "purchaseorder_number"
        case .customerpayments: "payment_number"
        }
    }

    /// Whether a list sorted by nothing in particular is sorted by name, ascending; otherwise newest first.
    var isSortedByName: Bool { self == .items || self == .contacts || self == .pricebooks }

    /// Whether inactive records are hidden unless `filter_by=Status.All` (section 5.1).
    var hidesInactive: Bool { self == .items || self == .contacts }

    /// Whether the records are documents with a total and a balance of their own.
    var hasTotals: Bool { !isSortedByName && self != .customerpayments }

    /// The keys that hold the same thing as an edited key.
    func twins(of key: String) -> [String] {
        switch (self, key) {
        case (.items, "name"): ["item_name"]
        case (.items, "item_name"): ["name"]
        case (.items, "stock_on_hand"): ["available_stock", "actual_available_stock"]
        case (.invoices, "last_modified_time"), (.creditnotes, "last_modified_time"),
            (.customerpayments, "last_modified_time"):
            ["updated_time"]
        default: []
        }
    }
}
