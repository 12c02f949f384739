import Foundation
import Testing

@testable import ZohoBooks

@Suite struct JSONTests {
    private static let ascii = Array(#"{}[]:,"\ 0123456789.eE+-tfnulrasbx/"#.utf8) + [0x0A, 0x00, 0x1F]
    private static let anyByte = Array(UInt8.min...UInt8.max)

    @Test(arguments: 1...60) func whatIsJSONIsReadAndWhatIsCutOffIsNot(seed: UInt64) throws {
        var generated = GeneratedJSON(seed: seed)
        let text = generated.object()
        #expect(try readWhole(RawJSON(text[...])) > 0)
        #expect((try? JSONSerialization.jsonObject(with: Data(text))) != nil)
        for end in text.indices {
            #expect(throws: JSONSyntaxError.self) { try readWhole(RawJSON(text[..<end])) }
        }
    }

    /// Foundation's reader shares no code with ours.
    @Test(arguments: 1...60) func damagedTextIsJSONExactlyIfFoundationSaysSo(seed: UInt64) throws {
        var generated = GeneratedJSON(seed: seed)
        let text = generated.object()
        for _ in 0..<60 {
            let damaged = generated.damaged(text, with: Self.ascii)
            // Foundation also refuses what no Double can hold; for us that is a matter of whoever wants a number.
            if String(decoding: damaged, as: UTF8.self).contains(#/[eE][+-]?\d{3,}/#) { continue }
            let isRead = (try? readWhole(RawJSON(damaged[...]))) != nil
            let options: JSONSerialization.ReadingOptions = .fragmentsAllowed
            let isJSON = (try? JSONSerialization.jsonObject(with: Data(damaged), options: options)) != nil
            #expect(isRead == isJSON, "\(String(decoding: damaged, as: UTF8.self))")
        }
    }

    @Test(arguments: 1...40) func noBytesWhateverCrashTheReading(seed: UInt64) throws {
        var generated = GeneratedJSON(seed: seed)
        let text = generated.object()
        for _ in 0..<100 {
            for bytes in [
                generated.damaged(text, with: Self.anyByte), generated.garbage(Self.anyByte),
                generated.garbage(Self.ascii),
            ] {
                do {
                    try readWhole(RawJSON(bytes[...]))
                } catch {
                    #expect(error is JSONSyntaxError)
                }
                _ = try? RawJSON(bytes[...]).readObject(
                    member: { key, _ in _ = try JSONView.text(ofKey: key) }, finish: {})
            }
        }
    }

    @Test(arguments: ["[", "{\"a\":", "[{\"a\":["]) func deepNestingIsRefusedAndNotFollowed(part: String) {
        for count in [128, 129, 100_000] {
            #expect(throws: JSONSyntaxError.self) {
                try readWhole(RawJSON(String(repeating: part, count: count)))
            }
        }
        let deep = String(repeating: "[", count: 129) + String(repeating: "]", count: 129)
        #expect { try RawJSON(deep).read { _ in } } throws: { error in
            if case .tooDeep? = error as? JSONSyntaxError { true } else { false }
        }
        let bearable = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        #expect((try? readWhole(RawJSON(bearable))) == 100)
    }

    @Test(arguments: [
        (#""""#, ""), (#""a\u00e9\ud83d\ude00""#, "aé😀"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (#""\u0000""#, "\0"), ("1234567890123456789", "1234567890123456789"), ("1.10", "1.10"), ("null", "null"),
    ])
    func textIsWhatWasSent(json: String, text: String) throws {
        #expect(try RawJSON(json).read { try $0.text() } == text)
    }

    @Test(arguments: [
        #""\ud800""#, #""\udc00""#, #""\ud800\u0041""#, #""\ud800\n""#, #""\u12""#, #""\u12g4""#, #""\u+123""#,
        #""\x""#,
    ])
    func aStringWithABadEscapeIsFoundButHasNoText(json: String) throws {
        #expect(throws: JSONSyntaxError.self) { try RawJSON(json).read { try $0.text() } }
        // It costs its own value alone, not the record or the page around it.
        #expect(try RawJSON(#"{"a":\#(json),"b":1}"#).read { try $0.member("b")?.text() } == "1")
    }

    @Test(arguments: [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80]] as [[UInt8]])
    func bytesThatAreNotUTF8HaveNoText(bytes: [UInt8]) {
        let json = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
        #expect(throws: JSONSyntaxError.self) { try RawJSON(json[...]).read { try $0.text() } }
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "{a:1}", "01", "-", "1.", ".5", "1e",
        "+1",
        "tru", "nul", "'a'", "\"a", "\"\\\"", "\"\n\"", "[1 2]", "{}{}", "1 1", "NaN", "\u{FEFF}{}", "\0",
    ])
    func whatIsNotJSONIsRefused(text: String) {
        #expect(throws: JSONSyntaxError.self) { try readWhole(RawJSON(text)) }
    }

    @Test func valuesOfAnotherTypeAreErrorsAndNotCrashes() throws {
        try RawJSON(#"{"a":[1]}"#).read { root in
            let list = try #require(try root.member("a"))
            #expect(throws: JSONSyntaxError.self) { try list.members { _, _ in } }
            #expect(throws: JSONSyntaxError.self) { try root.elements { _ in } }
            #expect(try root.member("b") == nil)
            #expect(list.raw(in: RawJSON(#"{"a":[1]}"#)).description == "[1]")
        }
    }

    @Test func aSliceInTheMiddleOfAnAnswerIsReadLikeAnyOther() throws {
        let outer = RawJSON(#" [ {"a":{"b":[1, "x"]}} , 2 ] "#)
        let inner = try outer.read { root in
            var first: RawJSON?
            try root.elements { if first == nil { first = $0.raw(in: outer) } }
            return try #require(first)
        }
        #expect(inner.description == #"{"a":{"b":[1, "x"]}}"#)
        let innermost = try inner.read { try #require(try $0.member("a")).raw(in: inner) }
        #expect(innermost.description == #"{"b":[1, "x"]}"#)
        #expect(try readWhole(innermost) == 4)
    }
}
