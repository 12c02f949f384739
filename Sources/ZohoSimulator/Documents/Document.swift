/// What is drawn for one document with lines; its totals add up to the cent.
struct Document {
    struct Line {
        /// Nil for a line of free text.
        let item: Item?
        /// In hundredths.
        let quantity: Int
        /// In cents.
        let rate: Int
        let discountPercent: Int
        let discount: Int
        /// What the line costs without tax.
        let total: Int
        let tax: Int
        let taxAmount: Int
    }

    let module: SimulatorModule
    let index: Int
    /// The customer or vendor.
    let party: Contact
    let lines: [Line]
    let shipping: Int
    let adjustment: Int
    let created: Int
    let modified: Int
    /// Draws left for what only details show.
    let extra: UInt64
    let status: StaticString
    let paid: Int

    let subTotal: Int
    let discount: Int
    /// By number of the tax.
    let taxes: [Int]

    var taxTotal: Int { taxes.reduce(0, +) }
    var total: Int { subTotal + taxTotal + shipping + adjustment }
    var balance: Int { total - paid }

    var isPurchase: Bool { module == .bills || module == .purchaseorders }

    /// The exchange rate in hundredths, and an amount in the organisation's currency.
    var exchangeRate: Int { [100, 92, 115][party.currency] }
    func base(_ amount: Int) -> Int {
        let scaled = amount * exchangeRate
        return (scaled + (scaled < 0 ? -50 : 50)) / 100
    }

    /// Days to pay; rules of negative number are about a month and a half.
    var termDays: Int { max(Vocabulary.terms[party.term].days, Vocabulary.terms[party.term].days < 0 ? 45 : 0) }
    var due: Int { created + termDays * 86_400 }
}

extension Generator {
    /// Which statuses of a document mean that it was paid or settled, wholly or in half.
    private static func paidShare(_ status: StaticString) -> Int {
        switch String(describing: status) {
        case "paid", "closed": 2
        case "partially_paid": 1
        default: 0
        }
    }

    func document(_ module: SimulatorModule, _ index: Int) -> Document {
        var draw = draw(module, index)
        let isPurchase = module == .bills || module == .purchaseorders
        let drawn = isPurchase ? randomVendor(&draw) : randomCustomer(&draw)
        let party = contact(mergedContacts[drawn] ?? drawn)
        let isForeign = place(party.index, slot: 0).city.country.utf8CodeUnitCount != 11
        var lines: [Document.Line] = []
        var taxes = [0, 0, 0]
        for _ in 0..<(1 + draw.below(6)) {
            let line = line(&draw, isPurchase: isPurchase, isForeign: isForeign)
            taxes[line.tax] += line.taxAmount
            lines.append(line)
        }
        let extra = draw.next()
        let shipping = extra & 7 == 0 ? 1_750 : 0
        let adjustment = extra >> 3 & 15 == 0 ? -Int(extra >> 8 & 3) : 0
        let status = status(module, index)
        let subTotal = lines.reduce(0) { $0 + $1.total }
        let total = subTotal + taxes[0] + taxes[1] + taxes[2] + shipping + adjustment
        return Document(
            module: module, index: index, party: party, lines: lines, shipping: shipping, adjustment: adjustment,
            created: created(module, index), modified: modified(module, index), extra: extra >> 10, status: status,
            paid: total * Self.paidShare(status) / 2, subTotal: subTotal,
            discount: lines.reduce(0) { $0 + $1.discount }, taxes: taxes)
    }

    private func line(_ draw: inout Draw, isPurchase: Bool, isForeign: Bool) -> Document.Line {
        let item = item(randomItem(&draw))
        let roll = Int(draw.next() >> 32)
        let isText = roll % 40 == 0
        let rate = isText ? 4_500 : isPurchase ? item.cost : item.rate
        // What is sold by length, area or weight (m, m2, kg) is also sold by the half.
        let isDivisible = !isText && item.family.unit.utf8CodeUnitCount <= 2
        let quantity = (1 + (roll >> 8 & 31)) * 100 + (isDivisible && roll & 3 == 0 ? 50 : 0)
        let gross = (quantity * rate + 50) / 100
        let percent = (roll >> 16) % 5 == 0 ? 10 : 0
        let discount = (gross * percent + 50) / 100
        let tax = isForeign ? 2 : isText ? 0 : item.tax
        let total = gross - discount
        return Document.Line(
            item: isText ? nil : item, quantity: quantity, rate: rate, discountPercent: percent, discount: discount,
            total: total, tax: tax, taxAmount: (total * Vocabulary.taxes[tax].percent + 50) / 100)
    }
}
