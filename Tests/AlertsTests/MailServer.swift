import Foundation
import NIOCore
import NIOExtras
import NIOPosix
import NIOSSL
import Synchronization

/// A mail server on a real socket that keeps what it is given.
final class MailServer: Sendable {
    struct Letter: Sendable, Equatable {
        var from = ""
        var recipients: [String] = []
        var text = ""
        /// What came by `AUTH`, unpacked.
        var login: [String] = []
        var isSecret = false
    }

    /// What the server offers and refuses.
    struct Behaviour: Sendable {
        /// Nil where it has no TLS.
        var tls: (certificate: String, key: String)?
        var isSecretFromTheStart = false
        var authentication: String?
        var refusesRecipients = false
    }

    private let received = Mutex<[Letter]>([])
    var letters: [Letter] { received.withLock { $0 } }

    /// Runs `body` with the server's port.
    static func with(_ behaviour: Behaviour, _ body: @Sendable (MailServer, Int) async throws -> Void) async throws {
        let server = MailServer()
        let context = try behaviour.tls.map { files in
            let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map {
                NIOSSLCertificateSource.certificate($0)
            }
            return try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: chain,
                    privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))))
        }
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if behaviour.isSecretFromTheStart, let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(LineBasedFrameDecoder()))
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let port = listener.channel.localAddress?.port ?? 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await listener.executeThenClose { connections in
                    for try await connection in connections {
                        try? await server.serve(connection, behaviour, context)
                    }
                }
            }
            try await body(server, port)
            group.cancelAll()
        }
    }

    private func serve(
        _ connection: NIOAsyncChannel<ByteBuffer, ByteBuffer>, _ behaviour: Behaviour, _ context: NIOSSLContext?
    ) async throws {
        try await connection.executeThenClose { lines, writer in
            func say(_ text: String) async throws { try await writer.write(ByteBuffer(string: text + "\r\n")) }
            var letter = Letter()
            letter.isSecret = behaviour.isSecretFromTheStart
            var isText = false
            var logins = 0
            try await say("220 mail.example.com ready")
            for try await buffer in lines {
                let line = String(buffer: buffer)
                if isText {
                    if line == "." {
                        isText = false
                        received.withLock { $0.append(letter) }
                        try await say("250 taken")
                    } else {
                        letter.text += line + "\n"
                    }
                    continue
                }
                if logins > 0 {
                    logins -= 1
                    letter.login.append(Self.unpacked(line))
                    try await say(logins == 0 ? "235 welcome" : "334 UGFzc3dvcmQ6")
                    continue
                }
                let word = line.split(separator: " ").first?.uppercased() ?? ""
                switch word {
                case "EHLO":
                    var offers = ["mail.example.com"]
                    if context != nil, !letter.isSecret { offers.append("STARTTLS") }
                    if let methods = behaviour.authentication { offers.append("AUTH \(methods)") }
                    for offer in offers.dropLast() { try await say("250-\(offer)") }
                    try await say("250 \(offers.last ?? "")")
                case "STARTTLS":
                    guard let context else {
                        try await say("502 no")
                        continue
                    }
                    try await say("220 go on")
                    try await connection.channel.eventLoop.submit {
                        try connection.channel.pipeline.syncOperations.addHandler(
                            NIOSSLServerHandler(context: context), position: .first)
                    }.get()
                    letter.isSecret = true
                case "AUTH" where line.hasPrefix("AUTH PLAIN "):
                    letter.login = Self.unpacked(String(line.dropFirst(11))).split(separator: "\0").map(String.init)
                    try await say("235 welcome")
                case "AUTH":
                    logins = 2
                    try await say("334 VXNlcm5hbWU6")
                case "MAIL":
                    letter.from = line
                    try await say("250 ok")
                case "RCPT":
                    letter.recipients.append(line)
                    try await say(behaviour.refusesRecipients ? "550 nobody here" : "250 ok")
                case "DATA":
                    isText = true
                    try await say("354 go on")
                case "QUIT":
                    try await say("221 bye")
                    return
                default: try await say("500 what?")
                }
            }
        }
    }

    private static func unpacked(_ text: String) -> String {
        Data(base64Encoded: text).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
