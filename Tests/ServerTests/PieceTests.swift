import Catalog
import Foundation
import NIOCore
import NIOHTTP1
import TestSupport
import Testing
import ZohoBooks

@testable import Server

@Suite("Pieces of the server")
struct PieceTests {
    /// The two vectors of the reference, section 8.4.
    @Test(
        "Signatures of the reference are valid, in hexadecimal and in Base64",
        arguments: [
            "572543dc86e41f5d679128d8d075ae813ecba6157ccd829e96668fbdfaeb22cd",
            "572543DC86E41F5D679128D8D075AE813ECBA6157CCD829E96668FBDFAEB22CD",
            "VyVD3IbkH11nkSjY0HWugT7LphV8zYKelmaPvfrrIs0=",
        ])
    func rawVector(signature: String) {
        let json = #"{"invoice":{"invoice_id":"3460000000055001","status":"sent"}}"#
        let pairs = FormPairs("shop=north&env=test").pairs
        #expect(
            WebhookSignature.isValid(signature, pairs: pairs, body: Array(json.utf8), secret: "demoSecret2026abc"))
        #expect(
            !WebhookSignature.isValid(signature, pairs: pairs, body: Array(json.utf8), secret: "demoSecret2026abd"))
        #expect(!WebhookSignature.isValid(signature, pairs: [], body: Array(json.utf8), secret: "demoSecret2026abc"))
    }

    @Test(
        "The same for a form",
        arguments: [
            "e71654dfe9d4566d981d1a26fa7fd601d143b258f98103a549da3a9031906ec0",
            "5xZU3+nUVm2YHRom+n/WAdFDslj5gQOlSdo6kDGQbsA=",
        ])
    func formVector(signature: String) {
        let encoded =
            "%7B%22invoice%22%3A%7B%22invoice_id%22%3A%223460000000055001%22%2C%22status%22%3A%22sent%22%7D%7D"
        let body = WebhookBody(
            Array("JSONString=\(encoded)".utf8), contentType: "application/x-www-form-urlencoded;charset=UTF-8")
        let pairs = FormPairs("env=test").pairs + (body.form?.pairs ?? [])
        #expect(WebhookSignature.isValid(signature, pairs: pairs, body: [], secret: "demoSecret2026abc"))
        #expect(body.json.description == #"{"invoice":{"invoice_id":"3460000000055001","status":"sent"}}"#)
    }

    @Test("A form of fields becomes an object, with what is JSON in it")
    func fields() {
        let body = WebhookBody(
            Array("item_id=5&name=A%20%22b%22+c&tags=%5B1%5D&odd=%zz&empty=".utf8),
            contentType: "application/x-www-form-urlencoded")
        #expect(
            body.json.description == #"{"item_id":"5","name":"A \"b\" c","tags":[1],"odd":"%zz","empty":""}"#)
    }

    @Test(
        "A field that only begins like JSON is text",
        arguments: ["[NEW] chair", "{old} chair", "[1] chair", "[", "{\"a\":}"])
    func almostJSON(name: String) throws {
        let encoded = try #require(name.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        let body = WebhookBody(
            Array("item_id=5&name=\(encoded)".utf8), contentType: "application/x-www-form-urlencoded")
        let object = try JSONSerialization.jsonObject(with: Data(body.json.bytes)) as? [String: String]
        #expect(object == ["item_id": "5", "name": name])
    }

    @Test("Compressed bodies are unpacked within their limit", arguments: [0, 1, 70_000])
    func gzip(size: Int) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let packed = try Self.packed(bytes)
        let unpacked = try Gzip.unpack(packed, limit: 70_000)
        #expect(unpacked == bytes)
        if size > 1 {
            #expect(throws: Gzip.Failure.tooLarge) { try Gzip.unpack(packed, limit: size - 1) }
            #expect(throws: Gzip.Failure.damaged) { try Gzip.unpack(packed.dropLast(9), limit: size) }
        }
        #expect(try Gzip.unpack(packed + packed + [0, 0], limit: 2 * size) == bytes + bytes)
        #expect(throws: Gzip.Failure.damaged) { try Gzip.unpack(packed + packed.dropLast(9), limit: 2 * size) }
        if size > 1 {
            #expect(throws: Gzip.Failure.tooLarge) { try Gzip.unpack(packed + packed, limit: 2 * size - 1) }
        }
        #expect(throws: Gzip.Failure.damaged) { try Gzip.unpack(Array("plain".utf8), limit: 100) }
        #expect(throws: Gzip.Failure.damaged) { try Gzip.unpack([], limit: 100) }
    }

    static func packed(_ bytes: [UInt8]) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["gzip", "-c"]
        let (input, output) = try launching {
            let pipes = (Pipe(), Pipe())
            process.standardInput = pipes.0
            process.standardOutput = pipes.1
            try process.run()
            return pipes
        }
        try input.fileHandleForWriting.write(contentsOf: Data(bytes))
        try input.fileHandleForWriting.close()
        return Array(output.fileHandleForReading.readDataToEndOfFile())
    }

    @Test("Ten wrong tokens in a minute are enough; a minute later the caller is heard again")
    func failureLimit() {
        var limit = FailureLimit()
        for second in 0..<10 {
            #expect(limit.pause(for: "a", at: Int64(second) * 1_000_000) == nil)
            limit.fail("a", at: Int64(second) * 1_000_000)
        }
        #expect(limit.pause(for: "a", at: 10_000_000) == 51)
        #expect(limit.pause(for: "b", at: 10_000_000) == nil)
        #expect(limit.pause(for: "a", at: 60_000_000) == nil)
        limit.fail("a", at: 60_000_000)
        #expect(limit.pause(for: "a", at: 60_000_001) == nil)
    }

    @Test(
        "Prefer is read as RFC 7240 has it",
        arguments: [
            ("wait=10", 10), ("respond-async, wait=5", 5), ("return=minimal; wait=7", 7), ("wait=100000", 300),
            ("Wait = 3", 3), ("wait", nil), ("wait=-1", nil), ("wait=x", nil), (nil, nil),
        ] as [(String?, Int?)])
    func waitPreference(header: String?, seconds: Int?) {
        #expect(WaitPreference.seconds(in: header) == seconds)
    }

    @Test("Metrics are what Prometheus reads, whatever a label holds")
    func metrics() {
        let metrics = Metrics()
        metrics.count(.unknownPaths, .init(["path": "/a\"b\\c\nd"]))
        metrics.observeLag(of: "record", microseconds: 30_000)
        let text = metrics.text([Gauge(name: "g", help: "G", value: 1.5)])
        #expect(text.contains(#"zohosync_unknown_webhook_paths_total{path="/a\"b\\c\nd"} 1"#))
        #expect(text.contains(#"zohosync_delivery_lag_seconds_bucket{kind="record",le="0.025"} 0"#))
        #expect(text.contains(#"zohosync_delivery_lag_seconds_bucket{kind="record",le="0.05"} 1"#))
        #expect(text.contains(#"zohosync_delivery_lag_seconds_bucket{kind="record",le="+Inf"} 1"#))
        #expect(text.contains("# TYPE g gauge\ng 1.5\n"))
        #expect(text.hasSuffix("\n"))
    }

    @Test("Who tries many paths fills neither the memory nor the places of others")
    func unknownPaths() {
        let paths = UnknownPaths()
        let minute: Int64 = 60_000_000
        let labels = (0..<100).map { paths.label(for: "/\($0)", isProven: false, at: Int64($0)) }
        #expect(Set(labels).count == 52, "50 have places, and one of them gave way")
        #expect(labels.last == "other")
        #expect(paths.lastWithoutPlace == "/99")
        #expect(paths.label(for: "/zoho", isProven: true, at: 100) == "/zoho", "what is proven has places of its own")
        // Who comes again keeps its place; the one that was not seen for longest gives way, one a minute.
        #expect(paths.label(for: "/1", isProven: false, at: 101) == "/1")
        #expect(paths.label(for: "/new", isProven: false, at: minute + 50) == "/new")
        #expect(paths.label(for: "/newer", isProven: false, at: minute + 51) == "other")
        #expect(paths.label(for: "/1", isProven: false, at: minute + 52) == "/1")
        for step in 2..<200 { _ = paths.label(for: "/x\(step)", isProven: false, at: Int64(step) * minute) }
        #expect(paths.label(for: "/zoho", isProven: false, at: 200 * minute) == "/zoho")
        #expect(Set((0..<500).map { paths.metricsLabel(for: "\($0)") }).count == 101)
    }

    @Test(
        "Ranges of addresses",
        arguments: [
            ("10.0.0.0/8", "10.200.3.4", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false), ("0.0.0.0/0", "8.8.8.8", true), ("192.0.2.128/25", "192.0.2.127", false),
            ("2001:db8::/32", "2001:db8:5::1", true), ("2001:db8::/32", "2001:db9::1", false), ("::1", "::1", true),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true), ("0.0.0.0/0", "unknown", false),
        ])
    func addressRange(range: String, address: String, isInside: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address) == isInside)
    }

    @Test("What is no address is no range", arguments: ["", "10.0.0/8", "10.0.0.0/33", "::1/129", "localhost", "/8"])
    func noAddressRange(text: String) { #expect(AddressRange(text) == nil) }

    @Test("Only this machine's own addresses are loopback")
    func loopback() {
        var configuration = ServerConfiguration()
        for (hostname, isLoopback) in [
            ("localhost", true), ("127.0.0.1", true), ("127.8.9.1", true), ("::1", true), ("127.example.com", false),
            ("0.0.0.0", false), ("192.0.2.1", false),
        ] {
            configuration.hostname = hostname
            #expect(configuration.isLoopback == isLoopback, "\(hostname)")
        }
    }

    @Test("A secret that can be guessed is refused where others can reach the server", arguments: [true, false])
    func weakSecrets(isKey: Bool) throws {
        for (text, isWeak) in [("a", true), ("elevenchars", true), ("twelve chars", false)] {
            var configuration = ServerConfiguration()
            configuration.webhookKey = isKey ? Secret(text) : nil
            configuration.webhookSecret = isKey ? nil : Secret(text)
            try configuration.validate()
            configuration.hostname = "0.0.0.0"
            guard isWeak else {
                try configuration.validate()
                continue
            }
            #expect(throws: ServerConfigurationError.weak(isKey ? "ZOHOSYNC_WEBHOOK_KEY" : "ZOHOSYNC_WEBHOOK_SECRET")) {
                try configuration.validate()
            }
        }
    }

    @Test("The URL of a server is one that can be used")
    func url() {
        var configuration = ServerConfiguration()
        #expect(configuration.url(port: 80) == "http://127.0.0.1:80")
        configuration.hostname = "::1"
        configuration.tls = ("c", "k")
        #expect(configuration.url(port: 443) == "https://[::1]:443")
    }
}
