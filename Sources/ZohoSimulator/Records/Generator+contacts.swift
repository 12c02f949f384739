/// What is drawn for one contact.
struct Contact {
    let index: Int
    let isVendor: Bool
    let isBusiness: Bool
    let suffix: StaticString
    let term: Int
    let currency: Int
    /// In cents.
    let receivable: Int
    let unused: Int
    let creditLimit: Int?
    let persons: Int
    let addresses: Int
    let hasShipping: Bool
    let extra: UInt64
}

extension Generator {
    func contact(_ index: Int) -> Contact {
        var draw = draw(.contacts, index)
        let isVendor = Self.isVendor(index)
        let roll = draw.next()
        let debt = draw.below(100)
        return Contact(
            index: index, isVendor: isVendor, isBusiness: isVendor || roll & 7 > 0,
            suffix: draw.pick(isVendor ? Vocabulary.vendorSuffixes : Vocabulary.contactSuffixes),
            term: draw.below(Vocabulary.terms.count), currency: roll >> 8 & 31 == 0 ? 1 + Int(roll >> 16 & 1) : 0,
            receivable: debt < 30 ? draw.below(500_000) : 0, unused: debt < 5 ? draw.below(50_000) : 0,
            creditLimit: roll >> 20 & 3 == 0 ? (1 + draw.below(50)) * 100_000 : nil,
            persons: [1, 1, 2, 3, 0, 1, 2, 1][Int(roll >> 24 & 7)],
            addresses: [0, 0, 0, 1, 1, 2, 0, 3][Int(roll >> 28 & 7)], hasShipping: roll >> 32 & 3 > 0,
            extra: roll >> 36)
    }

    /// Writes `Dogaku Bouw B.V.`, without quotes.
    func writeContactName(_ index: Int, to writer: inout JSONWriter) {
        writeSurname(index, to: &writer)
        let contact = contact(index)
        if contact.isBusiness {
            writer.raw(contact.suffix)
        } else {
            writer.raw(", ")
            writer.raw(person(index, slot: 0).first)
        }
    }

    /// The first and last name of a contact's person, and where its mail name is.
    func person(_ index: Int, slot: Int) -> (first: StaticString, last: StaticString, mail: StaticString) {
        var draw = Draw(seed: seed, kind: IDSpace.contactPerson.rawValue, index: index * 8 + slot)
        let name = draw.below(Vocabulary.firstNames.count)
        return (Vocabulary.firstNames[name], draw.pick(Vocabulary.lastNames), Vocabulary.mailNames[name])
    }

    func writeMail(_ index: Int, slot: Int, to writer: inout JSONWriter) {
        writer.raw(person(index, slot: slot).mail)
        writer.raw(".")
        writer.int(index)
        writer.raw("@example.test")
    }

    /// Writes the list row of section 6.3, or the detail record.
    func writeContact(_ index: Int, detail: Bool, to writer: inout JSONWriter) {
        let contact = contact(index)
        writer.raw(#"{"contact_id":"#)
        writer.id(IDSpace.contact.id(index))
        writer.raw(#","contact_name":""#)
        writeContactName(index, to: &writer)
        writer.raw(#"","customer_name":""#)
        if !contact.isVendor { writeContactName(index, to: &writer) }
        writer.raw(#"","vendor_name":""#)
        if contact.isVendor { writeContactName(index, to: &writer) }
        writer.raw(#"","company_name":""#)
        if contact.isBusiness { writeContactName(index, to: &writer) }
        writer.raw(#"","website":"","language_code":"nl","language_code_formatted":"Dutch","contact_type":""#)
        if contact.isVendor {
            writer.raw(#"vendor","contact_type_formatted":"Vendor","status":""#)
        } else {
            writer.raw(#"customer","contact_type_formatted":"Customer","status":""#)
        }
        if Self.isInactive(index) { writer.raw("inactive") } else { writer.raw("active") }
        writer.raw(#"","customer_sub_type":""#)
        if contact.isBusiness { writer.raw("business") } else { writer.raw("individual") }
        writer.raw(#"","source":"user","is_linked_with_zohocrm":false,"payment_terms":"#)
        let term = Vocabulary.terms[contact.term]
        writer.int(term.days)
        writer.raw(#","payment_terms_id":""#)
        writer.digits(3_460_000_000_012_001 + UInt64(contact.term), width: 16)
        writer.raw(#"","payment_terms_label":""#)
        writer.raw(term.label)
        let currency = Vocabulary.currencies[contact.currency]
        writer.raw(#"","currency_id":"#)
        writer.id(currency.id)
        writer.raw(#","currency_code":""#)
        writer.raw(currency.code)
        writer.raw(#"","twitter":"","facebook":"","outstanding_receivable_amount":"#)
        let debt = contact.isVendor ? 0 : contact.receivable
        writer.hundredths(debt)
        writer.raw(#","outstanding_receivable_amount_bcy":"#)
        writer.hundredths(debt)
        writer.raw(#","outstanding_payable_amount":"#)
        writer.hundredths(contact.receivable - debt)
        writer.raw(#","outstanding_payable_amount_bcy":"#)
        writer.hundredths(contact.receivable - debt)
        writer.raw(#","unused_credits_receivable_amount":"#)
        writer.hundredths(contact.unused)
        writer.raw(#","unused_credits_receivable_amount_bcy":"#)
        writer.hundredths(contact.unused)
        writer.raw(#","unused_credits_payable_amount":0.0,"unused_credits_payable_amount_bcy":0.0"#)
        writePrimary(contact, to: &writer)
        writer.raw(#","portal_status":"disabled","portal_status_formatted":"Disabled","created_time":"#)
        writer.timestamp(created(.contacts, index), calendar)
        writer.raw(#","last_modified_time":"#)
        writer.timestamp(modified(.contacts, index), calendar)
        if detail {
            writeContactDetail(contact, to: &writer)
        } else {
            writer.raw(#","created_time_formatted":"#)
            writer.displayDate(created(.contacts, index), calendar)
            writer.raw(#","last_modified_time_formatted":"#)
            writer.displayDate(modified(.contacts, index), calendar)
            writer.raw(
                #","custom_fields":[],"custom_field_hash":{},"contactperson_custom_fields":[],"tags":[],"ach_supported":false,"has_attachment":false"#
            )
            if contact.extra & 3 == 0 {
                writer.raw(#","cf_route":"Route "#)
                writer.int(Int(contact.extra >> 4 & 15))
                writer.raw(#"","cf_route_unformatted":"Route "#)
                writer.int(Int(contact.extra >> 4 & 15))
                writer.raw(#"""#)
            }
        }
        writer.raw("}")
    }

    /// The list's name, mail and numbers are those of the primary contact person.
    private func writePrimary(_ contact: Contact, to writer: inout JSONWriter) {
        guard contact.persons > 0 else {
            writer.raw(#","first_name":"","last_name":"","email":"","phone":"","mobile":"""#)
            return
        }
        let person = person(contact.index, slot: 0)
        writer.raw(#","first_name":""#)
        writer.raw(person.first)
        writer.raw(#"","last_name":""#)
        writer.raw(person.last)
        writer.raw(#"","email":""#)
        writeMail(contact.index, slot: 0, to: &writer)
        writer.raw(#"","phone":""#)
        writePhone(contact, to: &writer)
        writer.raw(#"","mobile":"""#)
    }

    func writePhone(_ contact: Contact, to writer: inout JSONWriter) {
        guard contact.extra >> 10 & 3 > 0 else { return }
        writer.raw("+31 20 555 ")
        writer.digits(contact.extra % 10_000, width: 4)
    }
}
