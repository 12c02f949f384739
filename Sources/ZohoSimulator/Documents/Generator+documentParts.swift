/// The parts that documents share.
extension Generator {
    /// Writes a contact's name as it is now, quoted: a renamed contact is renamed on its documents.
    func writePartyName(_ index: Int, to writer: inout JSONWriter) {
        if let name = contactNames[index] {
            writer.raw(name)
        } else {
            writer.raw("\"")
            writeContactName(index, to: &writer)
            writer.raw("\"")
        }
    }

    func writeQuoted(_ text: StaticString, to writer: inout JSONWriter) {
        writer.raw("\"")
        writer.raw(text)
        writer.raw("\"")
    }

    /// Writes whose document it is, its status, number and dates.
    func writeHead(_ document: Document, to writer: inout JSONWriter) {
        let space = document.module.idSpace
        writer.raw("{\"")
        writer.text(document.module.detailKey)
        writer.raw(#"_id":"#)
        writer.id(space.id(document.index))
        if document.isPurchase { writer.raw(#","vendor_id":"#) } else { writer.raw(#","customer_id":"#) }
        writer.id(IDSpace.contact.id(document.party.index))
        if document.isPurchase { writer.raw(#","vendor_name":"#) } else { writer.raw(#","customer_name":"#) }
        writePartyName(document.party.index, to: &writer)
        writer.raw(#","company_name":"#)
        writePartyName(document.party.index, to: &writer)
        writer.raw(#","status":"#)
        writeQuoted(document.status, to: &writer)
        writer.raw(",\"")
        writer.text(document.module.nameColumn)
        writer.raw(#"":""#)
        writeNumber(document.module, document.index, to: &writer)
        writer.raw(#"","reference_number":""#)
        if document.extra & 3 == 0 {
            writer.raw("Ref. ")
            writer.digits(document.extra >> 8 & 0xFFFF, width: 5)
        }
        writer.raw(#"","date":"#)
        writer.date(document.created, calendar)
        let currency = Vocabulary.currencies[document.party.currency]
        writer.raw(#","currency_id":"#)
        writer.id(currency.id)
        writer.raw(#","currency_code":"#)
        writeQuoted(currency.code, to: &writer)
        writer.raw(#","currency_symbol":"#)
        writeQuoted(currency.symbol, to: &writer)
        writer.raw(#","exchange_rate":"#)
        writer.hundredths(document.exchangeRate)
        writer.raw(#","total":"#)
        writer.hundredths(document.total)
    }

    func writeTimes(_ document: Document, to writer: inout JSONWriter) {
        writer.raw(#","created_time":"#)
        writer.timestamp(document.created, calendar)
        writer.raw(#","last_modified_time":"#)
        writer.timestamp(document.modified, calendar)
    }

    /// Writes what only the detail of a document has: lines, taxes, totals, addresses, notes (section 6.5).
    func writeDocumentDetail(_ document: Document, to writer: inout JSONWriter) {
        let term = Vocabulary.terms[document.party.term]
        writer.raw(#","payment_terms":"#)
        writer.int(term.days)
        writer.raw(#","payment_terms_label":"#)
        writeQuoted(term.label, to: &writer)
        writer.raw(
            #","price_precision":2,"is_inclusive_tax":false,"discount":0.0,"discount_type":"item_level","is_discount_before_tax":true,"discount_total":"#
        )
        writer.hundredths(document.discount)
        writer.raw(#","line_items":["#)
        for (place, line) in document.lines.enumerated() {
            writer.comma(before: place)
            writeLine(line, place, document, to: &writer)
        }
        writer.raw(#"],"shipping_charge":"#)
        writer.hundredths(document.shipping)
        writer.raw(#","adjustment":"#)
        writer.hundredths(document.adjustment)
        writer.raw(#","adjustment_description":""#)
        if document.adjustment != 0 { writer.raw("Afronding") }
        writer.raw(#"","sub_total":"#)
        writer.hundredths(document.subTotal)
        writer.raw(#","tax_total":"#)
        writer.hundredths(document.taxTotal)
        writer.raw(#","bcy_sub_total":"#)
        writer.hundredths(document.base(document.subTotal))
        writer.raw(#","bcy_tax_total":"#)
        writer.hundredths(document.base(document.taxTotal))
        writer.raw(#","bcy_total":"#)
        writer.hundredths(document.base(document.total))
        writeTaxes(document, to: &writer)
        writer.raw(#","billing_address":"#)
        writeDocumentAddress(document.party, slot: 0, to: &writer)
        writer.raw(#","shipping_address":"#)
        writeDocumentAddress(document.party, slot: document.party.hasShipping ? 1 : 0, to: &writer)
        writer.raw(#","contact_persons":["#)
        if document.party.persons > 0 { writer.id(IDSpace.contactPerson.id(document.party.index, slot: 0)) }
        writer.raw(#"],"notes":""#)
        if document.extra >> 4 & 7 == 0 { writer.raw(#"Afhalen bij loods 3\nS.v.p. \"ongeverfd\""#) }
        writer.raw(
            #"","terms":"","salesperson_id":"","salesperson_name":"","custom_fields":[],"custom_field_hash":{},"documents":[]"#
        )
    }

    private func writeTaxes(_ document: Document, to writer: inout JSONWriter) {
        writer.raw(#","taxes":["#)
        var written = 0
        for (number, amount) in document.taxes.enumerated() where document.lines.contains(where: { $0.tax == number }) {
            writer.comma(before: written)
            writeTax(number, amount, to: &writer)
            written += 1
        }
        writer.raw("]")
    }

    private func writeTax(_ number: Int, _ amount: Int, to writer: inout JSONWriter) {
        let tax = Vocabulary.taxes[number]
        writer.raw(#"{"tax_id":"#)
        writer.id(tax.id)
        writer.raw(#","tax_name":""#)
        writer.raw(tax.name)
        writer.raw(" (")
        writer.int(tax.percent)
        writer.raw(#"%)","tax_amount":"#)
        writer.hundredths(amount)
        writer.raw("}")
    }

    private func writeLine(_ line: Document.Line, _ place: Int, _ document: Document, to writer: inout JSONWriter) {
        writer.raw(#"{"line_item_id":"#)
        writer.id(document.module.lineSpace.id(document.index, slot: place))
        writer.raw(#","item_id":"#)
        if let item = line.item {
            writer.id(IDSpace.item.id(item.index))
            writer.raw(#","name":""#)
            item.writeName(width: nameWidths[SimulatorModule.items.ordinal], to: &writer)
            writer.raw(#"","sku":""#)
            item.writeSKU(width: nameWidths[SimulatorModule.items.ordinal], to: &writer)
            writer.raw(#"","description":"","unit":"#)
            writeQuoted(item.family.unit, to: &writer)
        } else {
            writer.raw(#""","name":"Transportkosten","sku":"","description":"Vrije tekst, zonder artikel","unit":"""#)
        }
        writer.raw(#","item_order":"#)
        writer.int(place + 1)
        // Purchase orders tell the quantity as text (section 6.9).
        writer.raw(#","quantity":"#)
        if document.module == .purchaseorders { writer.raw("\"") }
        writer.hundredths(line.quantity)
        if document.module == .purchaseorders { writer.raw("\"") }
        writer.raw(#","rate":"#)
        writer.hundredths(line.rate)
        writer.raw(#","bcy_rate":"#)
        writer.hundredths(document.base(line.rate))
        writer.raw(#","discount":"#)
        writer.hundredths(line.discountPercent * 100)
        writer.raw(#","discount_amount":"#)
        writer.hundredths(line.discount)
        if document.isPurchase {
            writer.raw(#","account_id":"3460000000000394","account_name":"Cost of Goods Sold","tax_id":"#)
        } else {
            writer.raw(#","pricebook_id":"","account_id":"3460000000000388","account_name":"Sales","tax_id":"#)
        }
        let tax = Vocabulary.taxes[line.tax]
        writer.id(tax.id)
        writer.raw(#","tax_name":"#)
        writeQuoted(tax.name, to: &writer)
        writer.raw(#","tax_type":"tax","tax_percentage":"#)
        writer.int(tax.percent)
        writer.raw(#","line_item_taxes":["#)
        writeTax(line.tax, line.taxAmount, to: &writer)
        writer.raw(#"],"item_total":"#)
        writer.hundredths(line.total)
        writer.raw(
            #","sales_rate":"","purchase_rate":"","image_document_id":"","item_custom_fields":[],"tags":[],"documents":[]}"#
        )
    }

    /// Writes the address of a detail, which has `zip` where a list has `zipcode` (section 7.5).
    func writeDocumentAddress(
        _ party: Contact, slot: Int, zipKey: StaticString = "zip", to writer: inout JSONWriter
    ) {
        let place = place(party.index, slot: slot)
        writer.raw(#"{"address":""#)
        writePlace(place, to: &writer)
        writer.raw(#"","street2":"","city":"#)
        writeQuoted(place.city.name, to: &writer)
        writer.raw(#","state":"#)
        writeQuoted(place.city.state, to: &writer)
        writer.raw(",")
        writeQuoted(zipKey, to: &writer)
        writer.raw(#":""#)
        writeZip(place, to: &writer)
        writer.raw(#"","country":"#)
        writeQuoted(place.city.country, to: &writer)
        writer.raw(#","phone":""#)
        writePhone(party, to: &writer)
        writer.raw(#"","fax":"","attention":""}"#)
    }
}

extension SimulatorModule {
    fileprivate var lineSpace: IDSpace {
        switch self {
        case .bills: .billLine
        case .creditnotes: .creditnoteLine
        case .salesorders: .salesorderLine
        case .purchaseorders: .purchaseorderLine
        default: .invoiceLine
        }
    }
}
