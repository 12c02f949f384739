/// Gives the money, dates and enums of a record the readable `*_formatted` twins that webhook bodies have (section 8.3).
enum FormattedTwins {
    private enum Kind {
        case money(isBase: Bool)
        case date
        case choice
    }

    private static let kinds: [String: Kind] = {
        let money = [
            "adjustment", "amount", "amount_applied", "balance", "bank_charges", "credit_limit", "credits_applied",
            "customer_balance", "discount_amount", "discount_total", "item_total", "outstanding_payable_amount",
            "outstanding_receivable_amount", "payment_made", "purchase_rate", "rate", "sales_rate", "shipping_charge",
            "sub_total", "tax_amount", "tax_total", "total", "unused_amount", "unused_credits_payable_amount",
            "unused_credits_receivable_amount", "unused_customer_credits", "vendor_credits_applied",
            "write_off_amount",
        ]
        let base = ["bcy_rate", "bcy_sub_total", "bcy_tax_total", "bcy_total"]
        let dates = [
            "date", "delivery_date", "due_date", "expected_delivery_date", "last_payment_date",
            "last_reminder_sent_date", "payment_expected_date", "shipment_date",
        ]
        let choices = [
            "contact_type", "customer_sub_type", "item_type", "order_status", "portal_status", "product_type", "status",
        ]
        var kinds: [String: Kind] = [:]
        for key in money { kinds[key] = .money(isBase: false) }
        for key in base { kinds[key] = .money(isBase: true) }
        for key in dates { kinds[key] = .date }
        for key in choices { kinds[key] = .choice }
        return kinds
    }()

    /// Writes a record, each twin right behind its member, at any depth.
    ///
    /// Amounts are in the record's currency, those that start with `bcy_` or of records without one in euros.
    static func write(_ record: [UInt8], to writer: inout JSONWriter) {
        let code = JSONObject.text(of: "currency_code", in: record)
        let currency = Vocabulary.currencies.first { String(describing: $0.code) == code }?.symbol ?? "€"
        var copied = 0
        var position = 0
        while position < record.endIndex {
            guard record[position] == UInt8(ascii: "\"") else {
                position += 1
                continue
            }
            let start = position
            position = JSONObject.endOfString(record, from: start)
            // Only a key is a string that a colon follows.
            guard position < record.endIndex, record[position] == UInt8(ascii: ":") else { continue }
            let key = String(decoding: record[(start + 1)..<(position - 1)], as: UTF8.self)
            guard let kind = kinds[key], position + 1 < record.endIndex else { continue }
            let end = JSONObject.endOfValue(record, from: position + 1)
            let value = record[(position + 1)..<end]
            guard let first = value.first, first != UInt8(ascii: "{"), first != UInt8(ascii: "[") else { continue }
            writer.raw(record[copied..<end])
            copied = end
            position = end
            writer.raw(",\"")
            writer.text(key)
            writer.raw("_formatted\":")
            write(value, kind, currency, to: &writer)
        }
        writer.raw(record[copied...])
    }

    /// Writes the twin of a value, which is the value itself where there is nothing to make of it.
    private static func write(
        _ value: ArraySlice<UInt8>, _ kind: Kind, _ currency: StaticString, to writer: inout JSONWriter
    ) {
        let text = value.first == UInt8(ascii: "\"") ? value.dropFirst().dropLast() : value[...]
        switch kind {
        case .money(let isBase):
            let amount = Double(String(decoding: text, as: UTF8.self)).map { ($0 * 100).rounded() }
            if let cents = amount.flatMap(Int.init(exactly:)) {
                writer.money(cents, symbol: isBase ? "€" : currency)
            } else {
                writer.raw(value)
            }
        case .date:
            if let instant = OrganizationCalendar.day(String(decoding: text, as: UTF8.self)) {
                writer.displayDate(instant, OrganizationCalendar(offsetMinutes: 0))
            } else {
                writer.raw(value)
            }
        case .choice:
            // "partially_paid" reads "Partially Paid".
            var isStart = true
            writer.raw("\"")
            for byte in text {
                let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                writer.byte(byte == UInt8(ascii: "_") ? UInt8(ascii: " ") : isStart && isLetter ? byte - 32 : byte)
                isStart = byte == UInt8(ascii: "_")
            }
            writer.raw("\"")
        }
    }
}

extension JSONWriter {
    /// Writes a quoted `€1,438.00`.
    fileprivate mutating func money(_ cents: Int, symbol: StaticString) {
        raw("\"")
        if cents < 0 { raw("-") }
        raw(symbol)
        let whole = String(cents.magnitude / 100).utf8
        for (place, digit) in whole.enumerated() {
            if place > 0, (whole.count - place) % 3 == 0 { raw(",") }
            byte(digit)
        }
        raw(".")
        digits(UInt64(cents.magnitude % 100), width: 2)
        raw("\"")
    }
}
