import Catalog
import Testing
import ZohoBooks

/// What the reference says of Zoho's data in section 7, at the level of records.
@Suite("Quirks")
struct QuirkTests {
    @Test(
        "an id comes as a string or as a number and keeps all its digits",
        arguments: [
            #"{"item_id":"9223372036854775999"}"#, #"{"item_id":9223372036854775999}"#,
        ])
    func ids(json: String) throws {
        #expect(try Mapped(json).record.id == "9223372036854775999")
    }

    @Test("blank dates, numbers, ids and texts become null")
    func blanks() throws {
        let item = try Mapped(
            #"{"item_id":"1","name":"","reorder_level":"","tax_id":"","is_taxable":"","created_time":""}"#)
        for column in ["name", "reorder_level", "tax_id", "is_taxable", "zoho_created_at"] {
            #expect(item[column] == .null, "\(column)")
        }
        let invoice = try Mapped(#"{"invoice_id":"1","date":"","due_date":null,"payment_terms":""}"#, as: "invoices")
        for column in ["invoice_date", "due_date", "payment_terms"] { #expect(invoice[column] == .null, "\(column)") }
        #expect(item.unreadable.isEmpty && invoice.unreadable.isEmpty)
    }

    @Test("numbers as strings and percentages with their sign are numbers")
    func numericStrings() throws {
        let item = try Mapped(#"{"item_id":"1","rate":"42.50","tax_percentage":"70%","stock_on_hand":"-3.00"}"#)
        #expect(item["unit_price"] == .decimal("42.5"))
        #expect(item["tax_percentage"] == .decimal("70"))
        #expect(item["stock_quantity"] == .decimal("-3"))
    }

    @Test("what a record does not mention is not said; a detail record blanks what only details say")
    func missingKeys() throws {
        let json = #"{"item_id":"1","name":"Oak"}"#
        let list = try Mapped(json, shape: .list)
        #expect(list["name"] == .text("Oak"))
        #expect(list["sku"] == nil)
        #expect(list["stock_quantity"] == nil)
        let detail = try Mapped(json)
        #expect(detail["sku"] == nil)
        #expect(detail["stock_quantity"] == nil)
        for column in ["committed_stock", "vendor_name", "category_name", "custom_fields"] {
            #expect(detail[column] == .null, "\(column)")
        }
    }

    @Test(
        "a detail record without times and state leaves them alone: price lists have no last_modified_time"
    )
    func missingTimes() throws {
        for fixture in Fixture.all where fixture.entity == "pricelists" {
            let mapped = try fixture.record()
            #expect(mapped["zoho_modified_at"] == nil || fixture.shape == .list)
            #expect((mapped.record.modifiedAt == nil) == (fixture.shape == .detail))
        }
        let bare = try Mapped(#"{"item_id":"1"}"#)
        for column in ["status", "is_active", "zoho_created_at", "zoho_modified_at"] { #expect(bare[column] == nil) }
    }

    @Test(
        "the details of payments and credit notes say as updated_time what their lists say as last_modified_time",
        arguments: [("customer_payments", "payment_id"), ("credit_notes", "creditnote_id")])
    func updatedTime(entity: String, id: String) throws {
        let (old, new) = ("2026-03-05T12:00:01+0000", "2026-03-06T12:00:00+0000")
        let detail = try Mapped(#"{"\#(id)":"1","updated_time":"\#(old)"}"#, as: entity)
        let list = try Mapped(#"{"\#(id)":"1","last_modified_time":"\#(old)"}"#, as: entity, shape: .list)
        #expect(detail.record.modifiedAt != nil && detail.record.modifiedAt == list.record.modifiedAt)
        #expect(detail["zoho_modified_at"] == list["zoho_modified_at"])
        // What a list said later is laid over what a detail record said.
        for members in [
            #""last_modified_time":"\#(new)","updated_time":"\#(old)""#,
            #""updated_time":"\#(old)","last_modified_time":"\#(new)""#,
        ] {
            let both = try Mapped(#"{"\#(id)":"1",\#(members)}"#, as: entity)
            #expect(
                both["zoho_modified_at"]
                    == (try Mapped(#"{"\#(id)":"1","updated_time":"\#(new)"}"#, as: entity))["zoho_modified_at"])
            #expect(both.mapping.modifiedAt(of: both.record.raw) == both.record.modifiedAt)
        }
    }

    @Test("a contact's detail record without the primary person's e-mail address leaves the list's alone")
    func primaryPerson() throws {
        let bare = try Mapped(#"{"contact_id":"1"}"#, as: "customers")
        for column in ["first_name", "last_name", "email", "phone", "mobile"] { #expect(bare[column] == nil) }
        #expect(try Mapped(#"{"contact_id":"1","email":""}"#, as: "customers")["email"] == .null)
    }

    @Test("a postcode is found as zip and as zipcode")
    func postcodes() throws {
        for key in ["zip", "zipcode"] {
            let customer = try Mapped(
                #"{"contact_id":"1","billing_address":{"address_id":"2","\#(key)":"01234"},"shipping_address":{},"addresses":[]}"#,
                as: "customers")
            #expect(customer.rows("customer_addresses")?.first?.cells["zip"] == .text("01234"))
            let invoice = try Mapped(#"{"invoice_id":"1","billing_address":{"\#(key)":"01234"}}"#, as: "invoices")
            #expect(invoice["billing_address"]?.spelling == #"{"zip":"01234"}"#)
        }
        for members in [#""zip":"1","zipcode":"2""#, #""zipcode":"2","zip":"1""#, #""zip":"","zipcode":"1""#] {
            let invoice = try Mapped(#"{"invoice_id":"1","billing_address":{\#(members)}}"#, as: "invoices")
            #expect(invoice["billing_address"]?.spelling == #"{"zip":"1"}"#)
        }
    }

    @Test(
        "an empty string, an empty list and an empty object are the same nothing in a JSON column",
        arguments: [#""""#, "[]", "{}", "null", #"[""]"#, #"[{}]"#, #"[{"tax_id":""}]"#])
    func emptyLists(json: String) throws {
        #expect(try Mapped(#"{"invoice_id":"1","taxes":\#(json)}"#, as: "invoices")["taxes"] == .null)
    }

    @Test("documents are a string in lists and a list in details, and neither is a fault", arguments: [#""""#, "[]"])
    func documents(json: String) throws {
        #expect(try Mapped(#"{"invoice_id":"1","documents":\#(json)}"#, as: "invoices").unreadable == [])
    }

    @Test(
        "children that come as an empty string, a null or an empty object are none",
        arguments: [#""""#, "null", "[]", "[{}]", #"[{"name":""}]"#])
    func emptyChildren(json: String) throws {
        let invoice = try Mapped(#"{"invoice_id":"1","line_items":\#(json)}"#, as: "invoices")
        #expect(invoice.rows("invoice_line_items")?.isEmpty == true)
    }

    @Test("children that a detail record does not mention are not known, so that they stay, and the lack is a fault")
    func unsaidChildren() throws {
        let bare = try Mapped(#"{"invoice_id":"1"}"#, as: "invoices")
        #expect(bare.rows("invoice_line_items") == nil)
        #expect(bare.record.faults.map(\.description) == ["invoice_line_items: the record has no line_items"])
        let partial = try Mapped(
            #"{"contact_id":"1","billing_address":{"address_id":"2"},"addresses":[],"contact_persons":[]}"#,
            as: "customers")
        #expect(partial.rows("customer_addresses")?.map(\.key) == ["2"])
        #expect(partial.record.unsaid == [[1], []])
        #expect(
            partial.record.faults.map(\.description) == ["customer_addresses: the record has no shipping_address"])
    }

    @Test("a boolean in a child comes as a string")
    func booleanStrings() throws {
        let json = #"{"contact_id":"1","contact_persons":[{"contact_person_id":"2","is_primary_contact":"true"}]}"#
        #expect(
            try Mapped(json, as: "customers").rows("customer_contacts")?.first?.cells["is_primary"] == .boolean(true))
    }

    @Test("localised twins are never read")
    func formattedTwins() throws {
        let item = try Mapped(
            #"{"item_id":"1","rate_formatted":"€42,50","cf_a_formatted":"x","status_formatted":"Active"}"#)
        #expect(item["unit_price"] == nil)
        #expect(item["custom_fields"] == .null)
        #expect(item["status"] == nil)
        let bill = try Mapped(
            #"{"bill_id":"1","payments":[{"amount_formatted":"€1","deep":{"x_formatted":"y"},"amount":1.0}]}"#,
            as: "bills")
        #expect(bill["payments"]?.spelling == #"[{"amount":1}]"#)
    }

    @Test("names keep non-ASCII letters, HTML entities and trailing spaces")
    func names() throws {
        let item = try Mapped(#"{"item_id":"1","name":"Étagère \u2013 \ud83e\udeb5 ","description":"a &lt; b"}"#)
        #expect(item["name"] == .text("Étagère – 🪵 "))
        #expect(item["description"] == .text("a &lt; b"))
    }

    @Test(
        "a name that is blank under the preferred key is taken from the other one, in any order",
        arguments: [
            #"{"item_id":"1","name":"","item_name":"Oak"}"#, #"{"item_id":"1","item_name":"Oak","name":""}"#,
            #"{"item_id":"1","item_name":"Pine","name":"Oak"}"#, #"{"item_id":"1","name":"Oak","item_name":"Pine"}"#,
        ])
    func alternatives(json: String) throws {
        #expect(try Mapped(json)["name"] == .text("Oak"))
    }

    @Test("older organisations say warehouses, and a location's stock is a number in either spelling")
    func locations() throws {
        let json = #"{"item_id":"1","warehouses":[{"warehouse_id":"2","warehouse_stock_on_hand":"7.50","zip":"0750"}]}"#
        #expect(
            try Mapped(json)["locations"]?.spelling
                == #"[{"warehouse_id":"2","warehouse_stock_on_hand":7.5,"zip":"0750"}]"#)
    }

    @Test(
        "only the states that Zoho knows as dead make a record inactive",
        arguments: [
            ("products", "inactive", false), ("products", "active", true), ("products", "confirmation_pending", true),
            ("invoices", "void", false), ("invoices", "overdue", true), ("invoices", "paid", true),
        ])
    func activity(entity: String, status: String, isActive: Bool) throws {
        let key = try #require(Catalog.entity(named: entity)).entity.idKeys[0]
        #expect(try Mapped(#"{"\#(key)":"1","status":"\#(status)"}"#, as: entity)["is_active"] == .boolean(isActive))
    }

    @Test("JSON columns have one spelling: sorted keys, canonical numbers, no white space, minimal escapes")
    func canonicalJSON() throws {
        let json = #"{"bill_id":"1","payments":[ {"b" : 1.50, "a":"\u00e9\/\u0001", "c\"d":[true,false,{"z":0.0}]} ]}"#
        #expect(
            try Mapped(json, as: "bills")["payments"]?.spelling
                == #"[{"a":"é/\u0001","b":1.5,"c\"d":[true,false,{"z":0}]}]"#)
    }

    @Test("what a database gives back in its own spelling is the same canonical JSON")
    func roundTrip() throws {
        for fixture in Fixture.all {
            let mapped = try fixture.record()
            for (column, cell) in zip(mapped.mapping.columns, mapped.record.cells) {
                guard case .json(let bytes)? = cell else { continue }
                #expect(FieldValue.canonicalJSON(ArraySlice(bytes), of: column.kind) == .json(bytes))
            }
        }
        // A custom field's name is the user's own and says nothing of its value.
        let item = try Mapped(
            #"{"item_id":"1","custom_fields":[{"api_name":"cf_net_weight","value":"12.50"},{"label":"zipcode","value":"1"},{"api_name":"cf_set","value":["9.0","a"]}]}"#
        )
        let fields = #"{"cf_net_weight":"12.50","cf_set":["9.0","a"],"zipcode":"1"}"#
        #expect(item["custom_fields"]?.spelling == fields)
        #expect(
            FieldValue.canonicalJSON(
                ArraySlice(#"{"zipcode": "1", "cf_set": ["9.0", "a"], "cf_net_weight": "12.50"}"#.utf8),
                of: .customFields
            ).spelling == fields)
        #expect(
            FieldValue.canonicalJSON(ArraySlice(#"{ "b": [1.0, "x"], "a": "\u00e9" }"#.utf8)).spelling
                == #"{"a":"é","b":[1,"x"]}"#)
    }
}
