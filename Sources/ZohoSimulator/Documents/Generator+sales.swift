extension Generator {
    /// Writes an invoice as section 6.5 has it.
    func writeInvoice(_ index: Int, detail: Bool, to writer: inout JSONWriter) {
        let document = document(.invoices, index)
        writeHead(document, to: &writer)
        writer.raw(#","due_date":"#)
        writer.date(document.due, calendar)
        writer.raw(#","due_days":""#)
        if document.balance > 0 { writer.raw("Due in 3 days") }
        writer.raw(#"","balance":"#)
        writer.hundredths(document.balance)
        writer.raw(#","email":""#)
        if document.party.persons > 0 { writeMail(document.party.index, slot: 0, to: &writer) }
        writer.raw(
            #"","type":"invoice","project_name":"","payment_expected_date":"","write_off_amount":0.0,"is_viewed_by_client":false,"is_emailed":true,"current_sub_status":"","template_type":"standard","last_payment_date":"#
        )
        if document.paid > 0 {
            writer.date(document.created + Self.paymentDelay, calendar)
        } else {
            writer.raw(#""""#)
        }
        writer.raw(#","location_id":"3460000000038080","location_name":"Main Warehouse""#)
        writeTimes(document, to: &writer)
        if detail {
            writer.raw(#","payment_made":"#)
            writer.hundredths(document.paid)
            writer.raw(#","credits_applied":0.0,"tax_amount_withheld":0.0"#)
            writeDocumentDetail(document, to: &writer)
            writer.raw(#","contact":{"customer_balance":0.0,"credit_limit":"","unused_customer_credits":0.0}}"#)
            return
        }
        writer.raw(#","billing_address":"#)
        writeDocumentAddress(document.party, slot: 0, zipKey: "zipcode", to: &writer)
        writer.raw(#","shipping_address":"#)
        writeDocumentAddress(document.party, slot: document.party.hasShipping ? 1 : 0, zipKey: "zipcode", to: &writer)
        writer.raw(#","shipping_charge":"#)
        writer.hundredths(document.shipping)
        writer.raw(#","adjustment":"#)
        writer.hundredths(document.adjustment)
        writer.raw(#","updated_time":"#)
        writer.timestamp(document.modified, calendar)
        writer.raw(
            #","country":"","created_by":"A. Admin","salesperson_id":"","salesperson_name":"","custom_fields":[],"custom_field_hash":{},"tags":[],"has_attachment":false,"documents":"","reminders_sent":0,"last_reminder_sent_date":"","unprocessed_payment_amount":0.0,"schedule_time":"","no_of_copies":1}"#
        )
    }

    /// Writes a credit note as section 6.6 has it.
    func writeCreditnote(_ index: Int, detail: Bool, to writer: inout JSONWriter) {
        let document = document(.creditnotes, index)
        writeHead(document, to: &writer)
        writer.raw(#","balance":"#)
        writer.hundredths(document.balance)
        writer.raw(#","is_emailed":false,"location_id":"3460000000038080","location_name":"Main Warehouse""#)
        writeTimes(document, to: &writer)
        if detail {
            writer.raw(#","updated_time":"#)
            writer.timestamp(document.modified, calendar)
            writer.raw(#","invoices":[]"#)
            writeDocumentDetail(document, to: &writer)
        } else {
            writer.raw(#","documents":"","has_attachment":false,"custom_fields":[]"#)
        }
        writer.raw("}")
    }

    /// Writes a sales order as section 6.8 has it.
    func writeSalesorder(_ index: Int, detail: Bool, to writer: inout JSONWriter) {
        let document = document(.salesorders, index)
        writeHead(document, to: &writer)
        writer.raw(#","shipment_date":"#)
        if document.extra & 1 == 0 { writer.raw(#""""#) } else { writer.date(document.due, calendar) }
        writer.raw(#","delivery_date":"","order_status":"#)
        writeQuoted(document.status, to: &writer)
        writer.raw(#","is_emailed":false,"delivery_method":"","delivery_method_id":"","has_attachment":false"#)
        writeTimes(document, to: &writer)
        if detail {
            writeDocumentDetail(document, to: &writer)
            writer.raw(#","invoices":[],"packages":[],"sub_statuses":[],"estimate_id":"""#)
        } else {
            writer.raw(#","bcy_total":"#)
            writer.hundredths(document.base(document.total))
            writer.raw(#","sub_total":"#)
            writer.hundredths(document.subTotal)
            writer.raw(#","total_invoiced_amount":0.0,"salesperson_name":"","custom_fields":[]"#)
        }
        writer.raw("}")
    }
}
