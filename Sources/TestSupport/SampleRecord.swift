import Database
package import ZohoBooks

/// A record as Zoho would send it, with members that a test can change.
package struct SampleRecord: Sendable {
    /// The JSON text of each member.
    private var members: [String: String]

    /// Begins with these members, each as JSON text.
    package init(_ members: [String: String]) {
        self.members = members
    }

    /// The record's JSON.
    package var json: RawJSON {
        let list = members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
        return RawJSON("{\(list.joined(separator: ","))}")
    }

    /// The record with some members changed or added, each as JSON text; nil removes one.
    package func with(_ changes: [String: String?]) -> SampleRecord {
        var copy = self
        for (key, value) in changes { copy.members[key] = value }
        return copy
    }

    /// The record modified this many seconds after 2026-03-01T10:00:00+0100; nil removes its time.
    package func modified(_ seconds: Int?) -> SampleRecord {
        with(["last_modified_time": seconds.map { SampleRecord.time($0) }])
    }

    /// The JSON text of a time this many seconds after 2026-03-01T10:00:00+0100, in Zoho's spelling.
    package static func time(_ seconds: Int) -> String {
        // The text is in UTC; an hour is added where the zone says one.
        let local = Timestamp.text((1_772_355_600 + Int64(seconds) + 3_600) * 1_000_000)
        return "\"\(local.dropLast())+0100\""
    }
}

extension SampleRecord {
    /// A product, the same in lists and details but for what only details say.
    package static func product(_ id: Int) -> SampleRecord {
        SampleRecord([
            "item_id": "\"\(id)\"", "name": "\"Product \(id)\"", "sku": "\"P-\(id)\"", "rate": "42.5",
            "purchase_rate": "17", "stock_on_hand": "8", "available_stock": "7", "unit": "\"pcs\"",
            "description": "\"\"", "status": "\"active\"", "last_modified_time": time(0), "created_time": time(-86_400),
        ])
    }

    /// A customer as lists show one: a summary.
    package static func customerSummary(_ id: Int) -> SampleRecord {
        SampleRecord([
            "contact_id": "\"\(id)\"", "contact_name": "\"Customer \(id)\"", "company_name": "\"Company \(id)\"",
            "contact_type": "\"customer\"", "customer_sub_type": "\"business\"", "currency_code": "\"EUR\"",
            "outstanding_receivable_amount": "120.5", "unused_credits_receivable_amount": "0",
            "email": "\"first\(id)@example.org\"", "status": "\"active\"", "payment_terms": "30",
            "outstanding_receivable_amount_formatted": "\"€120.50\"", "documents": "\"\"",
            "last_modified_time": time(0), "created_time": time(-86_400),
        ])
    }

    /// A customer read individually, with notes, both addresses and two contact persons.
    package static func customer(_ id: Int) -> SampleRecord {
        customerSummary(id).with([
            "notes": "\"Rings twice\"", "credit_limit": "5000", "documents": "[]",
            "billing_address": address("\(id)01", city: "Wien"),
            "shipping_address": address("\(id)02", city: "Graz"), "addresses": "[]",
            "contact_persons": "[\(person("\(id)11", "Anna")),\(person("\(id)12", "Berta"))]",
        ])
    }

    /// The JSON text of an address.
    package static func address(_ id: String, city: String) -> String {
        #"{"address_id":"\#(id)","address":"Ring 1","city":"\#(city)","zip":"1010","country":"Austria"}"#
    }

    /// The JSON text of a contact person.
    package static func person(_ id: String, _ name: String) -> String {
        #"{"contact_person_id":"\#(id)","first_name":"\#(name)","email":"\#(name)@example.org"}"#
    }

    /// An invoice as lists show one.
    package static func invoiceSummary(_ id: Int) -> SampleRecord {
        SampleRecord([
            "invoice_id": "\"\(id)\"", "invoice_number": "\"INV-\(id)\"", "customer_id": "\"77\"",
            "customer_name": "\"Customer 77\"", "date": "\"2026-02-27\"", "due_date": "\"2026-03-27\"",
            "status": "\"sent\"", "currency_code": "\"EUR\"", "total": "100.1", "balance": "100.1",
            "last_modified_time": time(0), "created_time": time(-86_400),
        ])
    }

    /// An invoice read individually, with this many lines.
    package static func invoice(_ id: Int, lines: Int) -> SampleRecord {
        let rows = (0..<lines).map { line("\(id)\($0 + 1)", quantity: "\($0 + 1)") }
        return invoiceSummary(id).with([
            "sub_total": "83.42", "tax_total": "16.68", "notes": "\"Thanks\"",
            "line_items": "[\(rows.joined(separator: ","))]",
        ])
    }

    /// The JSON text of a line item.
    package static func line(_ id: String, quantity: String) -> String {
        #"{"line_item_id":"\#(id)","item_id":"5","name":"Bolt","quantity":\#(quantity),"rate":0.1,"item_total":1.2}"#
    }
}
