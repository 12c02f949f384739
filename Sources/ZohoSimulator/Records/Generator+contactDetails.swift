extension Generator {
    func writeContactDetail(_ contact: Contact, to writer: inout JSONWriter) {
        let index = contact.index
        writer.raw(#","contact_number":""#)
        if contact.isVendor { writer.raw("VEN-") } else { writer.raw("CUS-") }
        writer.digits(UInt64(index + 1), width: nameWidths[SimulatorModule.contacts.ordinal])
        writer.raw(#"","has_transaction":"#)
        writer.bool(contact.extra & 1 == 0)
        writer.raw(#","owner_id":"","owner_name":"","primary_contact_id":"#)
        if contact.persons > 0 {
            writer.id(IDSpace.contactPerson.id(index, slot: 0))
        } else {
            writer.raw(#""""#)
        }
        writePricebookReference(contact, to: &writer)
        writer.raw(#","credit_limit":"#)
        if let limit = contact.creditLimit { writer.hundredths(limit) } else { writer.raw(#""""#) }
        // Vendors have no is_taxable (section 6.3).
        if !contact.isVendor { writer.raw(#","is_taxable":true"#) }
        writer.raw(#","tax_id":"","tax_name":"","tax_percentage":"","vat_reg_no":""#)
        if contact.isBusiness {
            writer.raw("NL")
            writer.digits(contact.extra % 1_000_000_000, width: 9)
            writer.raw("B01")
        }
        writer.raw(
            #"","tax_reg_no":"","tax_info_list":[],"legal_name":"","trader_name":"","is_bcy_only_contact":false,"account_id":"","account_name":"","currency_symbol":""#
        )
        writer.raw(Vocabulary.currencies[contact.currency].symbol)
        writer.raw(#"","price_precision":2,"exchange_rate":"","payment_reminder_enabled":true,"notes":""#)
        if contact.extra >> 14 & 7 == 0 {
            writer.raw(#"Levering v\u00f3\u00f3r 10 uur; bel \"de poort\"\nt.a.v. magazijn"#)
        }
        writer.raw(#"","billing_address":"#)
        writeAddress(contact, slot: 0, isBlank: false, to: &writer)
        writer.raw(#","shipping_address":"#)
        writeAddress(contact, slot: 1, isBlank: !contact.hasShipping, to: &writer)
        writer.raw(#","addresses":"#)
        writeAddresses(contact, to: &writer)
        writer.raw(#","contact_persons":"#)
        writeContactPersons(contact, to: &writer)
        writer.raw(
            #","default_templates":{},"opening_balances":[],"cards":[],"checks":[],"bank_accounts":[],"vpa_list":[],"documents":[],"approvers_list":[],"lock_details":{},"integration_references":[],"tags":[]"#
        )
        if contact.isVendor { writer.raw(#","vendor_currency_summaries":[]"#) }
        guard contact.extra & 3 == 0 else {
            writer.raw(#","custom_fields":[],"custom_field_hash":{}"#)
            return
        }
        let route = Int(contact.extra >> 4 & 15)
        writer.raw(
            #","custom_fields":[{"customfield_id":"3460000000029021","index":1,"label":"Route","api_name":"cf_route","data_type":"string","value":"Route "#
        )
        writer.int(route)
        writer.raw(#"","value_formatted":"Route "#)
        writer.int(route)
        writer.raw(#"","show_on_pdf":false}],"custom_field_hash":{"cf_route":"Route "#)
        writer.int(route)
        writer.raw(#"","cf_route_unformatted":"Route "#)
        writer.int(route)
        writer.raw(#""}"#)
    }

    private func writePricebookReference(_ contact: Contact, to writer: inout JSONWriter) {
        guard !contact.isVendor, count(.pricebooks) > 0, contact.extra >> 18 & 3 == 0 else {
            writer.raw(#","pricebook_id":"","pricebook_name":"""#)
            return
        }
        let pricebook = Int(contact.extra >> 20 & 0xFFF) % count(.pricebooks)
        writer.raw(#","pricebook_id":"#)
        writer.id(IDSpace.pricebook.id(pricebook))
        writer.raw(#","pricebook_name":""#)
        writeNumber(.pricebooks, pricebook, to: &writer)
        writer.raw(#"""#)
    }

    /// Writes the additional addresses, which are neither the billing nor the shipping address.
    func writeAddresses(_ contact: Contact, to writer: inout JSONWriter) {
        writer.raw("[")
        for place in 0..<contact.addresses {
            writer.comma(before: place)
            writeAddress(contact, slot: 2 + place, isBlank: false, to: &writer)
        }
        writer.raw("]")
    }

    /// Writes an address; a blank one has an id of its own too (section 6.3).
    private func writeAddress(_ contact: Contact, slot: Int, isBlank: Bool, to writer: inout JSONWriter) {
        writer.raw(#"{"address_id":"#)
        writer.id(IDSpace.address.id(contact.index, slot: slot))
        if isBlank {
            writer.raw(
                #","attention":"","address":"","street2":"","city":"","state_code":"","state":"","zip":"","country":"","county":"","country_code":"","phone":"","fax":"","latitude":"","longitude":""}"#
            )
            return
        }
        let place = place(contact.index, slot: slot)
        writer.raw(#","attention":""#)
        if place.number & 3 == 0 { writer.raw("Magazijn") }
        writer.raw(#"","address":""#)
        writePlace(place, to: &writer)
        writer.raw(#"","street2":"","city":""#)
        writer.raw(place.city.name)
        writer.raw(#"","state_code":"","state":""#)
        writer.raw(place.city.state)
        writer.raw(#"","zip":""#)
        writeZip(place, to: &writer)
        writer.raw(#"","country":""#)
        writer.raw(place.city.country)
        writer.raw(#"","county":"","country_code":""#)
        writer.raw(place.city.code)
        writer.raw(#"","phone":""#)
        writePhone(contact, to: &writer)
        writer.raw(#"","fax":"","latitude":"","longitude":""}"#)
    }

    struct Place {
        let street: StaticString
        let number: Int
        let city: Vocabulary.City
        let zip: Int
    }

    /// Where the `slot`th address of a contact is: 0 billing, 1 shipping, then additional ones.
    func place(_ contact: Int, slot: Int) -> Place {
        var draw = Draw(seed: seed, kind: IDSpace.address.rawValue, index: contact * 8 + slot)
        return Place(
            street: draw.pick(Vocabulary.streets), number: 1 + draw.below(240), city: draw.pick(Vocabulary.cities),
            zip: draw.below(8_000_000))
    }

    func writePlace(_ place: Place, to writer: inout JSONWriter) {
        writer.raw(place.street)
        writer.raw(" ")
        writer.int(place.number)
    }

    func writeZip(_ place: Place, to writer: inout JSONWriter) {
        writer.digits(UInt64(1_000 + place.zip % 8_999), width: 4)
        guard place.city.country.utf8CodeUnitCount == 11 else { return }
        writer.raw(" ")
        writer.byte(UInt8(ascii: "A") + UInt8(place.zip / 9_000 % 26))
        writer.byte(UInt8(ascii: "B") + UInt8(place.zip / 300_000 % 25))
    }

    func writeContactPersons(_ contact: Contact, to writer: inout JSONWriter) {
        writer.raw("[")
        for slot in 0..<contact.persons {
            writer.comma(before: slot)
            let person = person(contact.index, slot: slot)
            writer.raw(#"{"contact_person_id":"#)
            writer.id(IDSpace.contactPerson.id(contact.index, slot: slot))
            writer.raw(#","salutation":"","first_name":""#)
            writer.raw(person.first)
            writer.raw(#"","last_name":""#)
            writer.raw(person.last)
            writer.raw(#"","email":""#)
            writeMail(contact.index, slot: slot, to: &writer)
            writer.raw(#"","phone":""#)
            writePhone(contact, to: &writer)
            writer.raw(#"","mobile":"","designation":""#)
            writer.raw(Vocabulary.designations[(contact.index + slot) % Vocabulary.designations.count])
            writer.raw(#"","department":"","skype":"","fax":"","is_primary_contact":"#)
            writer.bool(slot == 0)
            writer.raw(
                #","is_added_in_portal":false,"can_invite":true,"communication_preference":{"is_email_enabled":true,"is_whatsapp_enabled":false},"photo_url":"","zcrm_contact_id":"","custom_fields":[]}"#
            )
        }
        writer.raw("]")
    }
}
