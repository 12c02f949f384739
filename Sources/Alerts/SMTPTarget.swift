import Foundation
import NIOCore
import NIOExtras
import NIOPosix
import NIOSSL
import ZohoBooks

/// Mails alerts (RFC 5321).
package struct SMTPTarget: AlertTarget {
    private let configuration: SMTPConfiguration
    private let trustsAnyCertificate: Bool

    /// Seconds that the whole conversation may take.
    private static let timeout = 60

    package init(_ configuration: SMTPConfiguration) {
        self.init(configuration, trustsAnyCertificate: false)
    }

    /// - Parameter trustsAnyCertificate: for a test's own server only.
    init(_ configuration: SMTPConfiguration, trustsAnyCertificate: Bool) {
        self.configuration = configuration
        self.trustsAnyCertificate = trustsAnyCertificate
    }

    package let name = "smtp"

    package func send(_ alert: Alert) async throws {
        let message = MailMessage(
            alert, from: configuration.from, recipients: configuration.recipients, date: .now, id: UUID().uuidString)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await deliver(message) }
            group.addTask {
                try await Task.sleep(for: .seconds(Self.timeout))
                throw AlertError("The mail server took longer than \(Self.timeout) seconds.")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func deliver(_ message: MailMessage) async throws {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(.seconds(15))
                .connect(host: configuration.host, port: configuration.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if configuration.security == .tls {
                            try channel.pipeline.syncOperations.addHandler(try tlsHandler())
                        }
                        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(LineBasedFrameDecoder()))
                        return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw AlertError("Cannot connect to the mail server \(configuration.host):\(configuration.port): \(error)")
        }
        try await channel.executeThenClose { lines, writer in
            var conversation = SMTPConversation(lines.makeAsyncIterator(), writer)
            try await conversation.greeting()
            var offers = try await conversation.hello()
            var isSecret = configuration.security == .tls
            if !isSecret, configuration.security == .startTLS || offers.contains("STARTTLS") {
                try await conversation.say("STARTTLS", expecting: 220)
                try await channel.channel.eventLoop.submit {
                    try channel.channel.pipeline.syncOperations.addHandler(try tlsHandler(), position: .first)
                }.get()
                offers = try await conversation.hello()
                isSecret = true
            }
            if let user = configuration.user {
                guard isSecret || configuration.isLoopback else {
                    throw AlertError("The mail server does not offer TLS, without which the password is not sent.")
                }
                try await conversation.logIn(user, configuration.password?.revealed ?? "", offers)
            }
            try await conversation.say("MAIL FROM:<\(configuration.from)>", expecting: 250)
            for recipient in configuration.recipients {
                try await conversation.say("RCPT TO:<\(recipient)>", expecting: 250)
            }
            try await conversation.say("DATA", expecting: 354)
            // No line begins with a dot: headers and Base64 never do.
            try await conversation.say(message.text + "\r\n.", expecting: 250)
            try? await conversation.say("QUIT", expecting: 221)
        }
    }

    private func tlsHandler() throws -> NIOSSLClientHandler {
        var tls = TLSConfiguration.makeClientConfiguration()
        if trustsAnyCertificate { tls.certificateVerification = .none }
        let isAddress = configuration.host.contains(":") || configuration.host.allSatisfy { $0.isNumber || $0 == "." }
        return try NIOSSLClientHandler(
            context: NIOSSLContext(configuration: tls), serverHostname: isAddress ? nil : configuration.host)
    }
}

/// The commands to a mail server, and its replies.
private struct SMTPConversation {
    private var lines: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let writer: NIOAsyncChannelOutboundWriter<ByteBuffer>

    init(
        _ lines: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        _ writer: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.lines = lines
        self.writer = writer
    }

    mutating func greeting() async throws { _ = try await answer(220, to: "the connection") }

    /// - Returns: what the server offers, in capitals.
    mutating func hello() async throws -> [String] {
        try await writer.write(ByteBuffer(string: "EHLO \(ProcessInfo.processInfo.hostName)\r\n"))
        return try await answer(250, to: "EHLO").map { $0.uppercased() }
    }

    mutating func logIn(_ user: String, _ password: String, _ offers: [String]) async throws {
        let methods = offers.first { $0.hasPrefix("AUTH") }?.split(separator: " ") ?? []
        if methods.contains("LOGIN"), !methods.contains("PLAIN") {
            try await say("AUTH LOGIN", expecting: 334)
            try await say(Data(user.utf8).base64EncodedString(), expecting: 334, as: "the user")
            try await say(Data(password.utf8).base64EncodedString(), expecting: 235, as: "the password")
        } else {
            let text = Data("\0\(user)\0\(password)".utf8).base64EncodedString()
            try await say("AUTH PLAIN \(text)", expecting: 235, as: "AUTH PLAIN")
        }
    }

    /// - Parameter name: names the command in an error, where it must not be repeated.
    mutating func say(_ text: String, expecting code: Int, as name: String? = nil) async throws {
        try await writer.write(ByteBuffer(string: text + "\r\n"))
        _ = try await answer(code, to: name ?? String(text.prefix { $0 != "\r\n" && $0 != "\r" }.prefix(80)))
    }

    private mutating func answer(_ code: Int, to what: String) async throws -> [String] {
        var said: [String] = []
        while let line = try await lines.next(isolation: #isolation) {
            let text = String(buffer: line)
            said.append(String(text.dropFirst(4)).trimmingCharacters(in: .whitespaces))
            if text.dropFirst(3).first == "-" { continue }
            guard Int(text.prefix(3)) == code else {
                throw AlertError("The mail server answered \(what) with: \(text.prefix(200))")
            }
            return said
        }
        throw AlertError("The mail server closed the connection after \(what).")
    }
}
