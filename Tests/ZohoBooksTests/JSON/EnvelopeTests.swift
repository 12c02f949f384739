import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import ZohoBooks

@Suite struct EnvelopeTests {
    private static let call = Call(path: "items", query: [], key: "items", kind: .list, priority: .background)

    private static func read(_ body: [UInt8], status: Int = 200) -> Result<Envelope, CallFailure> {
        Envelope.read(Transport.Answer(status: status, headers: HTTPHeaders(), body: body), for: call)
    }

    /// A page of generated records, its members in an order of the seed.
    private static func page(_ seed: UInt64) -> (body: [UInt8], records: [[UInt8]]) {
        var generated = GeneratedJSON(seed: seed)
        let records = (0..<5).map { _ in generated.object() }
        var random = SeededGenerator(seed: seed)
        let members = [
            Array(#""code":0"#.utf8), Array(#""message":"success""#.utf8), Array(#""new":[{}]"#.utf8),
            Array(#""page_context":{"page":1,"has_more_page":true,"x":[],"total":412}"#.utf8),
            Array(#""items":["#.utf8) + records.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")],
        ].shuffled(using: &random)
        let body =
            [UInt8(ascii: "{")] + members.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
        return (body, records)
    }

    @Test(arguments: 1...20) func aPageIsCutIntoItsRecords(seed: UInt64) throws {
        let (body, records) = Self.page(seed)
        let envelope = try Self.read(body).get()
        #expect(envelope.records?.map { Array($0.bytes) } == records)
        #expect(envelope.hasMore && envelope.total == 412)
    }

    @Test(arguments: 1...20) func aPageThatIsCutOffGivesNoRecords(seed: UInt64) {
        let (body, _) = Self.page(seed)
        for end in body.indices {
            guard case .failure(.unreadable) = Self.read(Array(body[..<end])) else {
                Issue.record("cut off at \(end) of \(body.count)")
                return
            }
        }
    }

    @Test(arguments: 1...40) func aDamagedPageGivesWholeRecordsOrNone(seed: UInt64) throws {
        let (body, _) = Self.page(seed)
        var generated = GeneratedJSON(seed: seed)
        for _ in 0..<50 {
            guard case .success(let envelope) = Self.read(generated.damaged(body, with: Array(0...255))) else {
                continue
            }
            // An escape or a character of one record may be bad; then that one is a matter of its own.
            for record in envelope.records ?? [] { try record.read { _ in } }
        }
    }

    @Test(arguments: [
        "[]", "1", "null", #""text""#, "{}", #"{"message":"x"}"#, #"{"error":"invalid_code"}"#, "{\"code\":0}{}",
        #"{"code":0,"item":[]}"#, #"{"code":0,"items":"a"}"#, #"{"code":0,"items":null}"#, "<!DOCTYPE html>",
    ])
    func whatIsNoAnswerOfTheAPIsIsUnreadable(body: String) {
        guard case .failure(.unreadable(200, _)) = Self.read(Array(body.utf8)) else {
            Issue.record("read: \(body)")
            return
        }
    }

    @Test(arguments: [#""57""#, "57", "57 "]) func aCodeMayBeANumberOrItsText(code: String) {
        let body = Array(#"{"code":\#(code),"message":"No \u00e9"}"#.utf8)
        guard case .failure(let failure) = Self.read(body, status: 401) else { return }
        #expect(failure == .refused(status: 401, code: 57, message: "No é"))
    }

    @Test(arguments: [#""""#, "null", "[]", "0.5", "99999999999999999999999", "true"])
    func anOddCodeIsNotASuccess(code: String) {
        guard case .failure = Self.read(Array(#"{"code":\#(code),"items":[]}"#.utf8)) else {
            Issue.record("a success")
            return
        }
    }

    @Test(arguments: [
        (#"{"has_more_page":true}"#, true), (#"{"has_more_page":"true"}"#, true), (#"{"has_more_page":false}"#, false),
        (#"{"has_more_page":null}"#, false), (#"{"has_more_page":[]}"#, false), ("{}", false), ("[]", false),
        (#""""#, false), (#"{"has_more_page":true,"total":{}}"#, true), (#"{"has_more_page":true,"count":""}"#, true),
    ])
    func thePageContextMayHaveAnyShape(context: String, hasMore: Bool) throws {
        let envelope = try Self.read(Array(#"{"code":0,"items":[],"page_context":\#(context)}"#.utf8)).get()
        #expect(envelope.hasMore == hasMore && envelope.total == nil)
    }
}
