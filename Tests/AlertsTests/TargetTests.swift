import AsyncHTTPClient
import Foundation
import Hummingbird
import Logging
import NIOCore
import Synchronization
import Testing
import ZohoBooks

@testable import Alerts

@Suite("Targets of alerts")
struct TargetTests {
    private static let alert = Alert(
        organization: "60000000001",
        items: [
            .init(
                check: "inbox_depth", state: "critical", before: "warning", figure: 201,
                advice: "Look at last_error – in sync_inbox.", since: "2026-03-02T12:00:00Z"),
            .init(
                check: "token", state: "ok", before: "critical", figure: 1, advice: "", since: "2026-03-02T12:00:00Z"),
        ])

    /// A web server that keeps what is posted to it, and answers with a status.
    private static func withReceiver(
        status: HTTPResponse.Status = .ok, _ body: @Sendable (_ url: String, _ posts: Posts) async throws -> Void
    ) async throws {
        let posts = Posts()
        let router = Router()
        for method in [HTTPRequest.Method.post, .get] {
            router.on("/hook/secret-path", method: method) { request, _ in
                posts.add(String(buffer: try await request.body.collect(upTo: 1 << 20)))
                return Response(status: status)
            }
        }
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            let port = try #require(await ports.first { _ in true })
            try await body("http://127.0.0.1:\(port)/hook/secret-path", posts)
            group.cancelAll()
        }
    }

    private final class Posts: Sendable {
        private let bodies = Mutex<[String]>([])
        var all: [String] { bodies.withLock { $0 } }
        func add(_ body: String) { bodies.withLock { $0.append(body) } }
    }

    @Test("Slack gets a text, a program gets the whole")
    func webhooks() async throws {
        try await Self.withReceiver { url, posts in
            try await WebhookTarget(url: Secret(url), format: .slack, http: .shared).send(Self.alert)
            try await WebhookTarget(url: Secret(url), format: .plain, http: .shared).send(Self.alert)
            let bodies = try posts.all.map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
            try #require(bodies.count == 2)
            #expect((bodies[0]["text"] as? String)?.contains("inbox_depth: critical, 201, since") == true)
            #expect((bodies[0]["text"] as? String)?.contains("token: recovered (was critical)") == true)
            #expect(bodies[1]["status"] as? String == "critical")
            #expect((bodies[1]["items"] as? [[String: Any]])?.count == 2)
        }
    }

    @Test("A target that refuses says so without its URL")
    func refusals() async throws {
        try await Self.withReceiver(status: .forbidden) { url, _ in
            let error = await #expect(throws: AlertError.self) {
                try await WebhookTarget(url: Secret(url), format: .slack, http: .shared).send(Self.alert)
            }
            #expect(error?.description == "The URL answered with 403.")
        }
        var closed = WebhookTarget(url: Secret("http://127.0.0.1:1/secret-path"), format: .plain, http: .shared)
        closed.timeout = 1
        let target = closed
        let error = await #expect(throws: AlertError.self) { try await target.send(Self.alert) }
        #expect(error?.description.contains("secret-path") == false)
    }

    @Test("The outside monitor is called")
    func ping() async throws {
        try await Self.withReceiver { url, posts in
            try await DeadMansPing(url: Secret(url), http: .shared).send()
            #expect(posts.all == [""])
        }
    }

    @Test("A command has the alert on its standard input, and may leave it unread")
    func command() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "zohosync-alert-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try await CommandTarget("cat > '\(file.path)'").send(Self.alert)
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        #expect(json?["organization"] as? String == "60000000001")
        try await CommandTarget("true").send(Self.alert)
        let error = await #expect(throws: AlertError.self) {
            try await CommandTarget("echo first; echo 'no pager' >&2; exit 3").send(Self.alert)
        }
        #expect(error?.description.contains("no pager") == true)
    }

    @Test("A command that talks a lot is no failure where it works, and its last words are told where it does not")
    func talkativeCommand() async throws {
        let talk = "i=0; while [ $i -lt 20000 ]; do echo 'line of talk' >&2; i=$((i+1)); done"
        try await CommandTarget(talk).send(Self.alert)
        let error = await #expect(throws: AlertError.self) {
            try await CommandTarget("\(talk); echo 'no pager' >&2; exit 3").send(Self.alert)
        }
        #expect(error?.description.contains("no pager") == true)
        #expect(error?.description.contains("line of talk") == false)
    }

    @Test("An alert says which: the largest parts of a figure, and how many more there are")
    func parts() throws {
        func item(_ parts: [String: Int], state: String = "warning") -> Alert.Item {
            .init(
                check: "deliveries_to_unknown_paths", state: state, before: "ok", figure: 9, advice: "Correct it.",
                since: "2026-03-02T12:00:00Z", parts: parts)
        }
        func text(_ item: Alert.Item) -> String { Alert(organization: "1", items: [item]).text }
        #expect(text(item(["/a": 2, "/b": 7])).contains("warning, 9 (/b: 7, /a: 2), since"))
        #expect(text(item([:])).contains("warning, 9, since"))
        #expect(!text(item(["/a": 2], state: "ok")).contains("/a"))
        let many = item(Dictionary(uniqueKeysWithValues: (1...9).map { ("/p\($0)", $0) }))
        #expect(text(many).contains("(/p9: 9, /p8: 8, /p7: 7, /p6: 6, /p5: 5, and 4 more)"))
        let json = try #require(
            try JSONSerialization.jsonObject(with: Alert(organization: "1", items: [many]).json()) as? [String: Any])
        let first = try #require((json["items"] as? [[String: Any]])?.first)
        #expect((first["parts"] as? [String: Int])?.count == 5)
        #expect(first["more"] as? Int == 4)
        let plain = try #require(
            try JSONSerialization.jsonObject(with: Alert(organization: "1", items: [item([:])]).json())
                as? [String: Any])
        let only = try #require((plain["items"] as? [[String: Any]])?.first)
        #expect(only.keys.sorted() == first.keys.sorted())
        #expect(only["parts"] is NSNull && only["more"] is NSNull)
        let strange = item(["/<!channel>\n@here": 1, String(repeating: "/", count: 200): 2])
        #expect(strange.parts?["/??channel???here"] == 1)
        #expect(strange.parts?[String(repeating: "/", count: 80)] == 2)
    }

    // MARK: - Mail

    private static let tls: (certificate: String, key: String) = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "ServerTests/Certificate").path
        return ("\(folder)/certificate.pem", "\(folder)/key.pem")
    }()

    private static func send(_ url: String) async throws {
        let configuration = try SMTPConfiguration(
            url: Secret(url), from: "zohosync@example.com", recipients: ["ops@example.com", "owner@example.com"])
        try await SMTPTarget(configuration, trustsAnyCertificate: true).send(alert)
    }

    @Test("A mail is handed in with its headers, to everybody who is named")
    func mail() async throws {
        try await MailServer.with(.init()) { server, port in
            try await Self.send("smtp://127.0.0.1:\(port)")
            let letter = try #require(server.letters.first)
            #expect(letter.from == "MAIL FROM:<zohosync@example.com>")
            #expect(letter.recipients == ["RCPT TO:<ops@example.com>", "RCPT TO:<owner@example.com>"])
            let parts = letter.text.components(separatedBy: "\n\n")
            try #require(parts.count == 2)
            #expect(parts[0].contains("To: ops@example.com, owner@example.com"))
            #expect(parts[0].contains("Subject: zohosync 60000000001: critical: inbox_depth, token"))
            let body = Data(base64Encoded: parts[1].replacing("\n", with: ""))
            #expect(body.map { String(decoding: $0, as: UTF8.self) } == Self.alert.text)
        }
    }

    @Test(
        "A password is sent by TLS, in the way that the server knows",
        arguments: [
            ("smtps", "PLAIN LOGIN"), ("smtp+starttls", "PLAIN"), ("smtp+starttls", "LOGIN"), ("smtp", "PLAIN"),
        ])
    func login(scheme: String, methods: String) async throws {
        var behaviour = MailServer.Behaviour()
        behaviour.tls = Self.tls
        behaviour.isSecretFromTheStart = scheme == "smtps"
        behaviour.authentication = methods
        try await MailServer.with(behaviour) { server, port in
            try await Self.send("\(scheme)://user:pass%20word@127.0.0.1:\(port)")
            #expect(server.letters.map(\.login) == [["user", "pass word"]])
            #expect(server.letters.map(\.isSecret) == [true])
        }
    }

    @Test("A server that refuses is quoted, and the password is not")
    func refusedMail() async throws {
        var behaviour = MailServer.Behaviour()
        behaviour.refusesRecipients = true
        try await MailServer.with(behaviour) { server, port in
            let error = await #expect(throws: AlertError.self) {
                try await Self.send("smtp://user:secretword@127.0.0.1:\(port)")
            }
            #expect(error?.description.contains("550 nobody here") == true)
            #expect(error?.description.contains("secretword") == false)
            let noTLS = await #expect(throws: AlertError.self) {
                try await Self.send("smtp+starttls://127.0.0.1:\(port)")
            }
            #expect(noTLS?.description.contains("STARTTLS") == true)
            #expect(server.letters.isEmpty)
        }
    }

    @Test(
        "What is no mail server or no address is refused before anything is sent",
        arguments: [
            ("http://x", "a@b.de", "c@d.de"), ("smtp://", "a@b.de", "c@d.de"), ("smtp://x", "a@b.de", ""),
            ("smtp://x", "a@b.de", "c@d.de>\r\nDATA"), ("smtp://x", "a", "c@d.de"), ("smtp://x", "a@b@c", "c@d.de"),
        ])
    func configuration(url: String, from: String, recipient: String) {
        #expect(throws: AlertError.self) {
            try SMTPConfiguration(url: Secret(url), from: from, recipients: recipient.isEmpty ? [] : [recipient])
        }
    }

    @Test("A long or foreign subject is encoded so that every mail program shows it")
    func subject() {
        let alert = Alert(
            organization: "1",
            items: (0..<8).map {
                .init(check: "prüfung_\($0)", state: "warning", before: "ok", figure: 1.25, advice: "", since: "")
            })
        let message = MailMessage(
            alert, from: "a@b.de", recipients: ["c@d.de"], date: Date(timeIntervalSince1970: 0), id: "1")
        let lines = message.text.components(separatedBy: "\r\n")
        #expect(lines.allSatisfy { $0.utf8.count <= 78 && $0.utf8.allSatisfy { $0 < 0x80 } })
        #expect(lines.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000"))
        #expect(lines.contains("Message-ID: <1@b.de>"))
    }
}
