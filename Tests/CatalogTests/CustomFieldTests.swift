import Catalog
import Testing
import ZohoBooks

@Suite("Custom fields")
struct CustomFieldTests {
    /// One value in the three spellings of it: array, hash, flattened.
    static let spellings: [(value: String, unformatted: String, expected: String)] = [
        (#""A""#, #""A""#, #"{"cf_x":"A"}"#), ("5.50", #""5.5""#, #"{"cf_x":"5.5"}"#), ("5", "5.0", #"{"cf_x":"5"}"#),
        ("true", #""true""#, #"{"cf_x":"true"}"#), (#""2026-02-20""#, #""2026-02-20""#, #"{"cf_x":"2026-02-20"}"#),
        (#"["A","B"]"#, #"["A","B"]"#, #"{"cf_x":["A","B"]}"#),
        (#""\u00c9 \"q\"""#, #""É \"q\"""#, #"{"cf_x":"É \"q\""}"#),
        ("1234567890123456789", #""1234567890123456789""#, #"{"cf_x":"1234567890123456789"}"#),
    ]

    @Test("the three spellings of a custom field give equal values", arguments: spellings)
    func threeSpellings(value: String, unformatted: String, expected: String) throws {
        for members in [
            #""custom_fields":[{"customfield_id":"9","api_name":"cf_x","label":"X","value":\#(value),"value_formatted":"!"}]"#,
            #""custom_field_hash":{"cf_x":"localised","cf_x_unformatted":\#(unformatted)}"#,
            #""custom_field_hash":{"cf_x_unformatted":\#(unformatted),"cf_x":"localised","cf_x_formatted":"!"}"#,
            #""cf_x":"localised","cf_x_unformatted":\#(unformatted),"custom_fields":[],"custom_field_hash":{}"#,
            #""cf_x":\#(unformatted)"#,
        ] {
            for shape in [RecordShape.list, .detail] {
                let item = try Mapped(#"{"item_id":"1",\#(members)}"#, shape: shape)
                #expect(item["custom_fields"]?.spelling == expected, "\(members)")
                #expect(item.record.faults == [])
            }
        }
    }

    @Test(
        "empty custom fields are left out",
        arguments: [
            #""custom_fields":[{"api_name":"cf_x","value":""},{"api_name":"cf_y","value":null}]"#,
            #""custom_fields":[{"api_name":"cf_x","value":[]},{"label":"","value":"1"},{"api_name":"cf_z"}]"#,
            #""custom_field_hash":{"cf_x":"","cf_x_unformatted":[]}"#, #""cf_x":"","cf_x_unformatted":"""#,
            #""custom_fields":"","custom_field_hash":"""#,
        ])
    func empty(members: String) throws {
        let item = try Mapped(#"{"item_id":"1",\#(members)}"#)
        #expect(item["custom_fields"] == .null)
        #expect(item.record.faults == [])
    }

    @Test("a list record without custom fields does not speak of them, a detail record does")
    func unsaid() throws {
        #expect(try Mapped(#"{"item_id":"1"}"#, shape: .list)["custom_fields"] == nil)
        #expect(try Mapped(#"{"item_id":"1"}"#)["custom_fields"] == .null)
    }

    @Test("a field without an API name goes by its label")
    func labels() throws {
        let item = try Mapped(#"{"item_id":"1","custom_fields":[{"label":"Grö\u00dfe \"L\"","value":"7"}]}"#)
        #expect(item["custom_fields"]?.spelling == #"{"Größe \"L\"":"7"}"#)
    }

    @Test(
        "custom fields that cannot be read are a fault and the row is written",
        arguments: [
            #""custom_fields":"A""#, #""custom_fields":[1]"#, #""custom_fields":{"api_name":"cf_x","value":"A"}"#,
            #""custom_fields":[{"api_name":"cf_x","value":"\ud800"}]"#, #""custom_field_hash":["A"]"#, #""cf_x":"\q""#,
        ])
    func faults(members: String) throws {
        let item = try Mapped(#"{"item_id":"1","name":"Oak",\#(members)}"#)
        #expect(item["name"] == .text("Oak"))
        #expect(item.record.faults.map(\.field) == ["custom_fields"])
    }
}
