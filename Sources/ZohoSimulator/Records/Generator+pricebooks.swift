extension Generator {
    /// Writes a price list as section 6.4 has it: per item by unit or by volume, or a fixed percentage.
    func writePricebook(_ index: Int, detail: Bool, to writer: inout JSONWriter) {
        var draw = draw(.pricebooks, index)
        let isFixed = index % 5 == 2
        let isVolume = index % 5 == 1 || index % 5 == 4
        writer.raw(#"{"pricebook_id":"#)
        writer.id(IDSpace.pricebook.id(index))
        writer.raw(#","name":""#)
        writeNumber(.pricebooks, index, to: &writer)
        writer.raw(#"","description":"","currency_id":"#)
        if isFixed {
            writer.raw(#""","currency_code":"","pricebook_type":"fixed_percentage","pricing_scheme":"","percentage":"#)
            writer.int(2 + draw.below(20))
        } else {
            writer.id(Vocabulary.currencies[0].id)
            writer.raw(#","currency_code":"EUR","pricebook_type":"per_item","pricing_scheme":"#)
            writeQuoted(isVolume ? "volume" : "unit", to: &writer)
            writer.raw(#","percentage":"""#)
        }
        writer.raw(#","pricebook_rate":"","is_increase":"#)
        writer.bool(isFixed && draw.chance(50))
        writer.raw(#","rounding_type":"no_rounding","decimal_place":"#)
        if isFixed { writer.raw(#""""#) } else { writer.int(2) }
        writer.raw(#","sales_or_purchase_type":"#)
        writeQuoted(index % 7 == 6 ? "purchases" : "sales", to: &writer)
        writer.raw(#","status":"#)
        writeQuoted(status(.pricebooks, index), to: &writer)
        if detail {
            writer.raw(#","is_default":false,"products":[],"pricebook_items":["#)
            if !isFixed { writePrices(index, isVolume: isVolume, &draw, to: &writer) }
            writer.raw("]}")
        } else {
            writer.raw(#","last_modified_time":"#)
            writer.timestamp(modified(.pricebooks, index), calendar)
            writer.raw("}")
        }
    }

    /// Prices for some 60 to 140 different items, below or at the item's own.
    private func writePrices(_ index: Int, isVolume: Bool, _ draw: inout Draw, to writer: inout JSONWriter) {
        let items = count(.items)
        let prices = min(items, 60 + draw.below(80))
        let first = draw.below(items)
        let stride = items / prices
        for place in 0..<prices {
            let item = item((first + place * stride) % items)
            writer.comma(before: place)
            if !isVolume {
                writer.raw(#"{"pricebook_item_id":"#)
                writer.id(Self.priceID(index, place, 0))
                writer.raw(#","item_id":"#)
            } else {
                writer.raw(#"{"item_id":"#)
            }
            writer.id(IDSpace.item.id(item.index))
            writer.raw(#","name":""#)
            item.writeName(width: nameWidths[SimulatorModule.items.ordinal], to: &writer)
            writer.raw(#"","can_be_sold":true,"can_be_purchased":"#)
            writer.bool(!item.isService)
            let share = 80 + draw.below(21)
            if isVolume {
                writeBrackets(index, place, item.rate * share / 100, to: &writer)
            } else {
                writer.raw(#","pricebook_discount":"","pricebook_rate":"#)
                writer.hundredths(item.rate * share / 100)
            }
            writer.raw("}")
        }
    }

    /// Three brackets; the last one's end is open, which is `""`.
    private func writeBrackets(_ index: Int, _ place: Int, _ rate: Int, to writer: inout JSONWriter) {
        writer.raw(#","price_brackets":["#)
        for (bracket, (start, share)) in [(1, 100), (10, 95), (100, 90)].enumerated() {
            writer.comma(before: bracket)
            writer.raw(#"{"pricebook_item_id":"#)
            writer.id(Self.priceID(index, place, bracket))
            writer.raw(#","start_quantity":"#)
            writer.int(start)
            writer.raw(#","end_quantity":"#)
            if bracket == 2 { writer.raw(#""""#) } else { writer.int(start * 10 - 1) }
            writer.raw(#","pricebook_rate":"#)
            writer.hundredths(rate * share / 100)
            writer.raw(#","pricebook_discount":""}"#)
        }
        writer.raw("]")
    }

    private static func priceID(_ index: Int, _ place: Int, _ bracket: Int) -> UInt64 {
        IDSpace.pricebookItem.id(index * 1_024 + place * 4 + bracket)
    }
}
