extension Generator {
    /// Writes a bill as section 6.10 has it.
    func writeBill(_ index: Int, detail: Bool, to writer: inout JSONWriter) {
        let document = document(.bills, index)
        writeHead(document, to: &writer)
        writer.raw(#","due_date":"#)
        writer.date(document.due, calendar)
        writer.raw(#","due_days":"","balance":"#)
        writer.hundredths(document.balance)
        writer.raw(#","tds_total":0.0,"is_opening_balance":false,"entity_type":"bill","attachment_name":"""#)
        writeTimes(document, to: &writer)
        if detail {
            writer.raw(#","due_by_days":"#)
            writer.int(document.termDays)
            writer.raw(#","due_in_days":""#)
            writer.int(document.termDays)
            writer.raw(
                #"","tds_percent":"","purchaseorder_ids":[],"purchaseorders":[],"vendor_credits_applied":0.0,"vendor_credits":[],"payment_made":"#
            )
            writer.hundredths(document.paid)
            writer.raw(#","payments":["#)
            if document.paid > 0 { writeBillPayment(document, to: &writer) }
            writer.raw("]")
            writeDocumentDetail(document, to: &writer)
        } else {
            writer.raw(#","created_by":"A. Admin","last_modified_by":"A. Admin","has_attachment":false"#)
        }
        writer.raw("}")
    }

    /// A payment's date inside a bill is in the organisation's display format.
    private func writeBillPayment(_ document: Document, to writer: inout JSONWriter) {
        writer.raw(#"{"payment_id":"#)
        writer.id(IDSpace.vendorPayment.id(document.index))
        writer.raw(#","bill_id":"#)
        writer.id(IDSpace.bill.id(document.index))
        writer.raw(#","bill_payment_id":"#)
        writer.id(IDSpace.vendorPayment.id(document.index, slot: 1))
        writer.raw(#","payment_mode":"Bank Transfer","date":"#)
        writer.displayDate(document.created + Self.paymentDelay, calendar)
        writer.raw(#","amount":"#)
        writer.hundredths(document.paid)
        writer.raw(#","paid_through_account_name":"Bank"}"#)
    }

    /// Writes a purchase order as section 6.9 has it.
    func writePurchaseorder(_ index: Int, detail: Bool, to writer: inout JSONWriter) {
        let document = document(.purchaseorders, index)
        writeHead(document, to: &writer)
        writer.raw(#","delivery_date":"#)
        if document.extra & 1 == 0 { writer.raw(#""""#) } else { writer.date(document.due, calendar) }
        writer.raw(#","has_attachment":false"#)
        writeTimes(document, to: &writer)
        if detail {
            writer.raw(
                #","expected_delivery_date":"","ship_via":"","delivery_org_address_id":"","delivery_customer_id":"","delivery_address":{"organization_address_id":"3460000000000501","address":"Zagerijpad 12","address1":"Zagerijpad 12","address2":"","city":"Zwolle","state":"Overijssel ","zip":"8011 AB","country":"Netherlands","email":"","phone":"","is_primary":true},"bills":[],"can_mark_as_bill":false"#
            )
            writeDocumentDetail(document, to: &writer)
        } else {
            writer.raw(#","price_precision":2,"custom_fields":[]"#)
        }
        writer.raw("}")
    }
}
