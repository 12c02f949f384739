import Catalog
import Testing
import ZohoBooks

@Suite("Values")
struct ValueTests {
    static let decimals: [(String, String?)] = [
        ("0", "0"), ("-0", "0"), ("-0.00", "0"), ("0.10", "0.1"), ("42", "42"), ("42.0", "42"), ("42.50", "42.5"),
        ("-12.3400", "-12.34"), ("100", "100"), ("100.00", "100"), ("1e3", "1000"), ("1.5E3", "1500"), ("1E+2", "100"),
        ("2.5e-3", "0.0025"), ("-1.20e1", "-12"), ("0e9", "0"), ("12e-2", "0.12"), ("1e-1", "0.1"),
        ("0.1", "0.1"), ("1250.75", "1250.75"), ("99999999999999.99", "99999999999999.99"),
        ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
        ("0.000000000000000000000000000001", "0.000000000000000000000000000001"),
        (#""42""#, "42"), (#""042.50""#, "42.5"), (#""+7""#, "7"), (#"".5""#, "0.5"), (#""5.""#, "5"), (#"" 7 ""#, "7"),
        (#""70%""#, "70"), (#""70 %""#, "70"), (#""-12.5%""#, "-12.5"), (#""1e2""#, "100"),
        (#""1,234.50""#, nil), (#""€5""#, nil), (#""five""#, nil), (#""5 5""#, nil), (#""-""#, nil), (#""%""#, nil),
        (#"" ""#, nil), (#"".""#, nil), (#""--5""#, nil), (#""1e""#, nil), (#""1e+""#, nil), (#""1e1.5""#, nil),
        (#""0x10""#, nil), (#""NaN""#, nil), (#""١٢""#, nil), ("1e301", nil), ("1e-301", nil),
        ("1e-9223372036854775808", nil), ("1e99999999999999999999", nil), ("true", nil), ("[]", nil), ("{}", nil),
    ]

    @Test("a decimal is read digit by digit into its one canonical spelling", arguments: decimals)
    func decimal(json: String, digits: String?) throws {
        #expect(try read(json, FieldValue.decimal) == digits.map { .decimal($0) })
    }

    @Test("a decimal of up to 300 characters is exact, a longer one is refused")
    func longDecimals() throws {
        let digits = String(repeating: "9", count: 300)
        #expect(try read(digits, FieldValue.decimal) == .decimal(digits))
        #expect(try read(digits + "9", FieldValue.decimal) == nil)
    }

    static let integers: [(String, Int64?)] = [
        ("30", 30), ("30.0", 30), (#""30""#, 30), ("-3", -3), ("3e1", 30), ("9223372036854775807", .max),
        ("-9223372036854775808", .min), ("9223372036854775808", nil), ("30.5", nil), (#""Net 30""#, nil), ("true", nil),
    ]

    @Test("a whole number is read in every spelling of it and in no other", arguments: integers)
    func integer(json: String, value: Int64?) throws {
        #expect(try read(json, FieldValue.integer) == value.map { .integer($0) })
    }

    static let booleans: [(String, Bool?)] = [
        ("true", true), ("false", false), (#""true""#, true), (#""false""#, false), (#""yes""#, nil), ("1", nil),
        ("{}", nil),
    ]

    @Test("a boolean is read also as a string", arguments: booleans)
    func boolean(json: String, value: Bool?) throws {
        #expect(try read(json, FieldValue.boolean) == value.map { .boolean($0) })
    }

    static let readings: [(name: String, read: @Sendable (JSONView) -> FieldValue?)] = [
        ("text", FieldValue.text), ("integer", FieldValue.integer), ("decimal", FieldValue.decimal),
        ("boolean", FieldValue.boolean), ("instant", FieldValue.instant), ("date", FieldValue.date),
    ]

    @Test("an empty string and null are blank, whatever the column holds", arguments: [#""""#, "null"])
    func blanks(json: String) throws {
        for reading in Self.readings { #expect(try read(json, reading.read) == .null, "\(reading.name)") }
    }

    static let texts: [(String, String?)] = [
        (#""Net 30""#, "Net 30"), (#""Connacht ""#, "Connacht "), (#"" ""#, " "),
        (#""Fish &amp; Chips""#, "Fish &amp; Chips"),
        (#""Böttcher & Søn 木材 🪵""#, "Böttcher & Søn 木材 🪵"), (#""caf\u00e9""#, "café"), (#""\ud83e\udeb5!""#, "🪵!"),
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), ("3460000000041001", "3460000000041001"),
        ("9999999999999999999", "9999999999999999999"), (#""9999999999999999999""#, "9999999999999999999"),
        ("true", "true"), (#""\ud83e""#, nil), (#""\ud83ex""#, nil), (#""\ud83e\u0041""#, nil), (#""\udeb5""#, nil),
        (#""\u12""#, nil), (#""\u12g4""#, nil), (#""\u+123""#, nil), (#""\x""#, nil), ("[]", nil), ("{}", nil),
    ]

    @Test("text keeps every character, ids every digit, and invalid escapes are refused", arguments: texts)
    func text(json: String, text: String?) throws {
        #expect(try read(json, FieldValue.text) == text.map { .text($0) })
    }

    @Test("bytes that are not UTF-8 are no text")
    func invalidUTF8() throws {
        for bytes: [UInt8] in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80]] {
            let json = RawJSON(ArraySlice([0x22] + bytes + [0x22]))
            #expect(try json.read { FieldValue.text(from: $0) } == nil)
        }
    }
}
