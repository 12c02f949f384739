/// What is drawn for one item; everything in it follows from the index.
struct Item {
    let index: Int
    let family: Vocabulary.Family
    let finish: StaticString
    let size: StaticString
    let brand: StaticString
    let tax: Int
    /// In cents.
    let rate: Int
    let cost: Int
    /// In hundredths.
    let stock: Int
    let committed: Int
    let isTracked: Bool
    let isService: Bool
    let hasImage: Bool
    let grade: Int
    let extra: UInt64

    var isActive: Bool { !Generator.isInactive(index) }

    /// Writes `Eiken plank 00042 geschaafd 20 × 200 mm`, without quotes.
    func writeName(width: Int, to writer: inout JSONWriter) {
        writer.raw(family.name)
        writer.raw(" ")
        writer.digits(UInt64(index), width: width)
        writer.raw(" ")
        writer.raw(finish)
        writer.raw(" ")
        writer.raw(size)
    }

    func writeSKU(width: Int, to writer: inout JSONWriter) {
        writer.raw(family.code)
        writer.raw("-")
        writer.digits(UInt64(index), width: width)
    }
}

extension Generator {
    func item(_ index: Int) -> Item {
        var draw = draw(.items, index)
        let families = Vocabulary.families
        let family = families[min(index * families.count / max(1, count(.items)), families.count - 1)]
        let roll = draw.next()
        let endings = [0, 50, 95, 25]
        let rate = (family.prices.lowerBound + draw.below(family.prices.count)) / 100 * 100 + endings[Int(roll & 3)]
        let stock = draw.below(40_000) / 50 * 50
        let kind = draw.below(100)
        return Item(
            index: index, family: family, finish: draw.pick(Vocabulary.finishes), size: draw.pick(Vocabulary.sizes),
            brand: draw.pick(Vocabulary.brands), tax: kind % 10 == 0 ? 1 : 0, rate: rate,
            cost: rate * (55 + Int(roll >> 8 & 15)) / 100, stock: stock, committed: min(stock, draw.below(12) * 100),
            isTracked: kind < 80, isService: kind >= 95, hasImage: roll >> 16 & 3 == 0, grade: Int(roll >> 20 & 3),
            extra: roll >> 24)
    }

    /// Writes the list row of section 6.2, or the detail record, which has the same keys and more.
    func writeItem(_ index: Int, detail: Bool, to writer: inout JSONWriter) {
        let item = item(index)
        let width = nameWidths[SimulatorModule.items.ordinal]
        writer.raw(#"{"item_id":"#)
        writer.id(IDSpace.item.id(index))
        writer.raw(#","name":""#)
        item.writeName(width: width, to: &writer)
        writer.raw(#"","item_name":""#)
        item.writeName(width: width, to: &writer)
        writer.raw(#"","unit":""#)
        writer.raw(item.family.unit)
        writer.raw(#"","unit_id":"3460000000000041","status":""#)
        if item.isActive { writer.raw("active") } else { writer.raw("inactive") }
        writer.raw(
            #"","source":"user","is_combo_product":false,"is_linked_with_zohocrm":false,"zcrm_product_id":"","description":""#
        )
        writer.raw(item.family.name)
        writer.raw(" ")
        writer.raw(item.finish)
        if item.extra & 3 == 0 { writer.raw(#", per bundel\nLevertijd 3–5 werkdagen &amp; op afroep"#) }
        writer.raw(#"","brand":""#)
        writer.raw(item.brand)
        writer.raw(#"","manufacturer":"","category_id":"","category_name":""#)
        writer.raw(item.family.category)
        writer.raw(#"","rate":"#)
        writer.hundredths(item.rate)
        writer.raw(#","tax_id":""#)
        let tax = Vocabulary.taxes[item.tax]
        writer.digits(tax.id, width: 16)
        writer.raw(#"","tax_name":""#)
        writer.raw(tax.name)
        writer.raw(#"","tax_percentage":"#)
        writer.int(tax.percent)
        writer.raw(
            #","tax_type":"tax","tax_exemption_id":"","is_taxable":true,"purchase_account_id":"3460000000000394","purchase_account_name":"Cost of Goods Sold","account_id":"3460000000000388","account_name":"Sales","purchase_description":"","purchase_rate":"#
        )
        writer.hundredths(item.cost)
        writer.raw(#","can_be_sold":true,"can_be_purchased":"#)
        writer.bool(!item.isService)
        writer.raw(#","track_inventory":"#)
        writer.bool(item.isTracked)
        if item.isTracked {
            writer.raw(#","item_type":"inventory","product_type":"goods""#)
        } else if item.isService {
            writer.raw(#","item_type":"sales","product_type":"service""#)
        } else {
            writer.raw(#","item_type":"sales_and_purchases","product_type":"goods""#)
        }
        writeStock(item, to: &writer)
        writer.raw(#","is_returnable":true,"sku":""#)
        item.writeSKU(width: width, to: &writer)
        writer.raw(#"","upc":"","ean":""#)
        if item.extra & 4 == 0 {
            writer.raw("871")
            writer.digits(UInt64(index) % 10_000_000_000, width: 10)
        }
        writer.raw(#"","isbn":"","part_number":"""#)
        writeImageKeys(item, to: &writer)
        writer.raw(
            #","has_attachment":false,"is_storage_location_enabled":false,"show_in_storefront":false,"created_time":"#)
        writer.timestamp(created(.items, index), calendar)
        writer.raw(#","last_modified_time":"#)
        writer.timestamp(modified(.items, index), calendar)
        if detail { writeItemDetail(item, to: &writer) } else { writeItemRowEnd(item, to: &writer) }
        writer.raw("}")
    }

    /// Stock is missing for services, blank for what is not tracked, and a number otherwise.
    private func writeStock(_ item: Item, to writer: inout JSONWriter) {
        if item.isTracked {
            writer.raw(#","stock_on_hand":"#)
            writer.hundredths(item.stock)
            writer.raw(#","available_stock":"#)
            writer.hundredths(item.stock - item.committed)
            writer.raw(#","actual_available_stock":"#)
            writer.hundredths(item.stock - item.committed)
            if item.extra & 8 == 0 {
                writer.raw(#","reorder_level":"#)
                writer.hundredths(Int(item.extra >> 4 & 31) * 100)
            } else {
                writer.raw(#","reorder_level":"""#)
            }
        } else if !item.isService {
            writer.raw(#","stock_on_hand":"","available_stock":"","actual_available_stock":"","reorder_level":"""#)
        }
    }

    private func writeImageKeys(_ item: Item, to writer: inout JSONWriter) {
        guard item.hasImage else {
            writer.raw(#","image_name":"","image_type":"","image_document_id":"""#)
            return
        }
        writer.raw(#","image_name":""#)
        item.writeSKU(width: nameWidths[SimulatorModule.items.ordinal], to: &writer)
        writer.raw(#".png","image_type":"png","image_document_id":"#)
        writer.id(IDSpace.image.id(item.index))
    }

    private func writeGrade(_ item: Item, to writer: inout JSONWriter) {
        writer.byte(UInt8(ascii: "A") + UInt8(item.grade))
    }

    /// Custom fields in a list are objects and, flattened, keys of the row; empty ones are left out (section 7.8).
    private func writeItemRowEnd(_ item: Item, to writer: inout JSONWriter) {
        writer.raw(",")
        writeMeasures(item, to: &writer)
        writer.raw(#","tags":[]"#)
        guard item.grade < 3 else {
            writer.raw(#","custom_fields":[]"#)
            return
        }
        writeGradeField(item, to: &writer)
        writer.raw(#","cf_grade":""#)
        writeGrade(item, to: &writer)
        writer.raw(#"","cf_grade_unformatted":""#)
        writeGrade(item, to: &writer)
        writer.raw(#"""#)
    }

    private func writeGradeField(_ item: Item, to writer: inout JSONWriter) {
        writer.raw(
            #","custom_fields":[{"customfield_id":"3460000000029011","field_id":"3460000000029011","index":1,"label":"Grade","api_name":"cf_grade","data_type":"dropdown","value":""#
        )
        writeGrade(item, to: &writer)
        writer.raw(#"","value_formatted":""#)
        writeGrade(item, to: &writer)
        writer.raw(#"","show_on_pdf":false,"is_active":true}]"#)
    }

    private func writeMeasures(_ item: Item, to writer: inout JSONWriter) {
        writer.raw(#""length":""#)
        writer.int(100 + Int(item.extra >> 8 & 255))
        writer.raw(#"","width":""#)
        writer.int(5 + Int(item.extra >> 16 & 63))
        writer.raw(#"","height":"2","weight":""#)
        writer.hundredths(50 + Int(item.extra >> 8 & 1_023))
        writer.raw(#"","weight_unit":"kg","dimension_unit":"cm""#)
    }

    private func writeItemDetail(_ item: Item, to writer: inout JSONWriter) {
        var draw = Draw(seed: seed, kind: 3_000, index: item.index)
        writer.raw(#","inventory_account_id":"3460000000000400","inventory_account_name":"Inventory Asset""#)
        let drawn = randomVendor(&draw)
        let vendor = mergedContacts[drawn] ?? drawn
        if count(.contacts) > 12, item.extra & 16 == 0 {
            writer.raw(#","vendor_id":"#)
            writer.id(IDSpace.contact.id(vendor))
            writer.raw(#","vendor_name":"#)
            writePartyName(vendor, to: &writer)
        } else {
            writer.raw(#","vendor_id":"","vendor_name":"""#)
        }
        if item.isTracked { writeLocations(item, to: &writer) } else { writer.raw(#","locations":[]"#) }
        writer.raw(
            #","initial_stock":"","initial_stock_rate":"","minimum_order_quantity":"","maximum_order_quantity":"","pricebook_rate":"#
        )
        writer.hundredths(item.rate)
        writer.raw(#","sales_rate":"#)
        writer.hundredths(item.rate)
        writer.raw(#","package_details":{"#)
        writeMeasures(item, to: &writer)
        writer.raw(
            #"},"preferred_vendors":[],"price_brackets":[],"sales_channels":[],"item_tax_preferences":[],"documents":[],"tags":[],"associated_template_id":"","track_batch_number":false,"track_serial_number":false"#
        )
        guard item.grade < 3 else {
            writer.raw(#","custom_fields":[],"custom_field_hash":{}"#)
            return
        }
        writeGradeField(item, to: &writer)
        writer.raw(#","custom_field_hash":{"cf_grade":""#)
        writeGrade(item, to: &writer)
        writer.raw(#"","cf_grade_unformatted":""#)
        writeGrade(item, to: &writer)
        writer.raw(#""}"#)
    }

    /// Stock by location; the second location's numbers are strings (section 6.2).
    private func writeLocations(_ item: Item, to writer: inout JSONWriter) {
        let second = item.stock / 400 * 100
        writer.raw(#","committed_stock":"#)
        writer.hundredths(item.committed)
        writer.raw(#","actual_committed_stock":"#)
        writer.hundredths(item.committed)
        writer.raw(#","available_for_sale_stock":"#)
        writer.hundredths(item.stock - item.committed)
        writer.raw(#","actual_available_for_sale_stock":"#)
        writer.hundredths(item.stock - item.committed)
        for (isPrimary, stock) in [(true, item.stock - second), (false, second)] {
            if isPrimary {
                writer.raw(
                    #","locations":[{"location_id":"3460000000038080","location_name":"Main Warehouse","status":"active","is_primary":true"#
                )
            } else {
                writer.raw(
                    #",{"location_id":"3460000000038082","location_name":"Showroom Zwolle","status":"active","is_primary":false"#
                )
            }
            let keys: [StaticString] = [
                #","location_stock_on_hand":"#, #","location_available_stock":"#,
                #","location_actual_available_stock":"#,
            ]
            for (place, key) in keys.enumerated() {
                writer.raw(key)
                if !isPrimary { writer.raw(#"""#) }
                writer.hundredths(place > 0 && isPrimary ? stock - item.committed : stock)
                if !isPrimary { writer.raw(#"""#) }
            }
            writer.raw("}")
        }
        writer.raw("]")
    }
}
