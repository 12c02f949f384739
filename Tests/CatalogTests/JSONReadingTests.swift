import Testing
import ZohoBooks

@Suite("JSON reading")
struct JSONReadingTests {
    @Test(
        "valid JSON is read",
        arguments: [
            "{}", "[]", " \t\r\n{ } ", "0", "-0", "-0.5e+10", "1E5", "1e-5", #""""#, #""\"""#, #""\\""#, #""\u0041""#,
            "true",
            "false", "null", "[1,[2,[]],{}]", #"{"":0}"#, #"{"a":{"b":[null]}}"#, "\"\u{7F}\"",
        ])
    func valid(json: String) {
        #expect(throws: Never.self) { try RawJSON(json).read { _ in } }
    }

    @Test(
        "what RFC 8259 does not allow is refused",
        arguments: [
            "", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{a:1}", #"{"a"}"#, #"{"a":}"#,
            #"{"a":1,}"#,
            #"{"a":1 "b":2}"#, #"{,"a":1}"#, "01", "-", "-a", "+1", "1.", ".5", "1e", "1e+", "0x1", "1_000", "NaN",
            "Infinity",
            "tru", "trueish", "True", "nul", #"""#, #""a"#, #""\""#, "\"\n\"", "\"\t\"", "\"\u{0}\"", "'a'", "{} {}",
            "[] x",
            "\u{FEFF}{}", "// a\n{}", "[\u{A0}1]", "\u{B}1",
        ])
    func invalid(json: String) {
        #expect(throws: JSONSyntaxError.self) { try RawJSON(json).read { _ in } }
    }

    @Test("nesting is read to a depth of 128 and refused beyond")
    func depth() {
        func nested(_ depth: Int) -> RawJSON {
            RawJSON(String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
        }
        #expect(throws: Never.self) { try nested(128).read { _ in } }
        #expect(throws: JSONSyntaxError.tooDeep(at: 128)) { try nested(129).read { _ in } }
        #expect(throws: JSONSyntaxError.self) { try nested(1_000_000).read { _ in } }
    }

    @Test(
        "an error says where",
        arguments: [
            (#"{"a":1"#, JSONSyntaxError.unexpectedEnd(at: 6)), (#"{"a";1}"#, .unexpectedByte(0x3B, at: 4)),
            ("[1,01]", .unexpectedByte(0x31, at: 4)), ("{}}", .unexpectedByte(0x7D, at: 2)),
        ])
    func errors(json: String, error: JSONSyntaxError) {
        #expect(throws: error) { try RawJSON(json).read { _ in } }
    }

    @Test("members and elements come in their order, keys with their escapes resolved on demand")
    func order() throws {
        try RawJSON(#"{"b":[1, "two" ,null],"\u0061\"":true}"#).read { view in
            var keys: [String] = []
            try view.members { key, _ in keys.append(try JSONView.text(ofKey: key)) }
            #expect(keys == ["b", "a\""])
            var elements: [String] = []
            try #require(try view.member("b")).elements { elements.append(try $0.text()) }
            #expect(elements == ["1", "two", "null"])
            #expect(try view.member("c") == nil)
            #expect(throws: JSONSyntaxError.self) { try view.elements { _ in } }
            #expect(throws: JSONSyntaxError.self) { try #require(try view.member("b")).members { _, _ in } }
        }
    }

    @Test("a value is cut out of a slice of a larger text byte by byte")
    func cutting() throws {
        let text = Array(#"xx{"a" : [ { "n":1.50 } ]}yy"#.utf8)
        let page = RawJSON(text[2..<(text.count - 2)])
        let record = try page.read { view in
            var cut: RawJSON?
            try #require(try view.member("a")).elements { cut = $0.raw(in: page) }
            return try #require(cut)
        }
        #expect(record.description == #"{ "n":1.50 }"#)
        #expect(try record.read { try $0.member("n")?.text() } == "1.50")
    }
}
