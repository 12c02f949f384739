extension Generator {
    /// Writes one record as a list shows it, or as a detail answer does.
    func writeRecord(_ module: SimulatorModule, _ index: Int, detail: Bool, to writer: inout JSONWriter) {
        switch module {
        case .items: writeItem(index, detail: detail, to: &writer)
        case .contacts: writeContact(index, detail: detail, to: &writer)
        case .pricebooks: writePricebook(index, detail: detail, to: &writer)
        case .invoices: writeInvoice(index, detail: detail, to: &writer)
        case .bills: writeBill(index, detail: detail, to: &writer)
        case .creditnotes: writeCreditnote(index, detail: detail, to: &writer)
        case .salesorders: writeSalesorder(index, detail: detail, to: &writer)
        case .purchaseorders: writePurchaseorder(index, detail: detail, to: &writer)
        case .customerpayments: writePayment(index, detail: detail, to: &writer)
        }
    }
}
