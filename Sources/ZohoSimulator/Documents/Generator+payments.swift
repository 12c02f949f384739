/// The payments of customers: one for each invoice that is paid, in order, and advances after them.
///
/// With fewer payments than paid invoices the last invoices are paid without a record of it.
extension Generator {
    /// Seconds between a document and its payment.
    static let paymentDelay = 2 * 86_400

    /// The invoice that a payment is for.
    func invoice(ofPayment index: Int) -> Int? {
        index < paidInvoiceCount ? Self.paidInvoices.select(index) : nil
    }

    private var paidInvoiceCount: Int { Self.paidInvoices.rank(count(.invoices)) }

    /// When a payment was made: after its invoice; advances follow in one last day.
    func paymentTime(_ index: Int) -> Int {
        if let invoice = invoice(ofPayment: index) { return created(.invoices, invoice) + Self.paymentDelay }
        let advances = max(1, count(.customerpayments) - paidInvoiceCount)
        let place = index - paidInvoiceCount
        return end - 86_400 + 86_000 * min(place, advances) / (advances + 1)
    }

    /// Writes a payment as section 6.7 has it.
    func writePayment(_ index: Int, detail: Bool, to writer: inout JSONWriter) {
        var draw = draw(.customerpayments, index)
        let invoice = invoice(ofPayment: index).map { document(.invoices, $0) }
        let customer = randomCustomer(&draw)
        let party = invoice?.party ?? contact(mergedContacts[customer] ?? customer)
        let unused = invoice == nil ? 100 * (50 + draw.below(2_000)) : draw.chance(10) ? draw.below(10_000) : 0
        let amount = (invoice?.paid ?? 0) + unused
        let mode = draw.pick(["Bank Transfer", "Cash", "iDEAL", "Credit Card"] as [StaticString])
        writer.raw(#"{"payment_id":"#)
        writer.id(IDSpace.payment.id(index))
        writer.raw(#","payment_number":""#)
        writeNumber(.customerpayments, index, to: &writer)
        writer.raw(#"","date":"#)
        writer.date(paymentTime(index), calendar)
        writer.raw(#","payment_mode":"#)
        writeQuoted(mode, to: &writer)
        writer.raw(#","payment_mode_formatted":"#)
        writeQuoted(mode, to: &writer)
        writer.raw(#","amount":"#)
        writer.hundredths(amount)
        writer.raw(#","unused_amount":"#)
        writer.hundredths(unused)
        writer.raw(#","account_id":"3460000000000358","account_name":"Bank","description":"","reference_number":""#)
        if index % 3 == 0 { writer.digits(draw.next() % 1_000_000_000, width: 9) }
        writer.raw(#"","customer_id":"#)
        writer.id(IDSpace.contact.id(party.index))
        writer.raw(#","customer_name":"#)
        writePartyName(party.index, to: &writer)
        writer.raw(#","tax_amount_withheld":0.0,"payment_status":"paid","settlement_status":"","created_time":"#)
        writer.timestamp(created(.customerpayments, index), calendar)
        if detail {
            writer.raw(#","updated_time":"#)
            writer.timestamp(modified(.customerpayments, index), calendar)
            writer.raw(#","account_type":"bank","currency_id":"#)
            let currency = Vocabulary.currencies[party.currency]
            writer.id(currency.id)
            writer.raw(#","currency_code":"#)
            writeQuoted(currency.code, to: &writer)
            writer.raw(#","exchange_rate":1.0,"bank_charges":0.0,"invoices":["#)
            if let invoice { writeAllocation(index, invoice, to: &writer) }
            writer.raw(#"],"payment_refunds":[],"documents":[],"custom_fields":[],"custom_field_hash":{}}"#)
        } else {
            writer.raw(#","last_modified_time":"#)
            writer.timestamp(modified(.customerpayments, index), calendar)
            writer.raw(#","invoice_numbers":""#)
            if let invoice { writeNumber(.invoices, invoice.index, to: &writer) }
            writer.raw(#"","bcy_amount":"#)
            writer.hundredths(amount)
            writer.raw(#","bcy_unused_amount":"#)
            writer.hundredths(unused)
            writer.raw(
                #","applied_invoices":[],"has_attachment":false,"tags":[],"documents":"","custom_fields_list":""}"#)
        }
    }

    private func writeAllocation(_ index: Int, _ invoice: Document, to writer: inout JSONWriter) {
        writer.raw(#"{"invoice_id":"#)
        writer.id(IDSpace.invoice.id(invoice.index))
        writer.raw(#","invoice_number":""#)
        writeNumber(.invoices, invoice.index, to: &writer)
        writer.raw(#"","invoice_payment_id":"#)
        writer.id(IDSpace.invoicePayment.id(index))
        writer.raw(#","amount_applied":"#)
        writer.hundredths(invoice.paid)
        writer.raw(#","tax_amount_withheld":0.0,"total":"#)
        writer.hundredths(invoice.total)
        writer.raw(#","balance":"#)
        writer.hundredths(invoice.balance)
        writer.raw(#","date":"#)
        writer.date(invoice.created, calendar)
        writer.raw(#","due_date":"#)
        writer.date(invoice.due, calendar)
        // A boolean in text, as Zoho has it (section 7.5).
        writer.raw(#","price_precision":2,"allow_partial_payments":"true","invoice_installments":[]}"#)
    }
}
