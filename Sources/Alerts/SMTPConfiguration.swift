import Foundation
package import ZohoBooks

/// The mail server to submit to, the sender and the recipients.
package struct SMTPConfiguration: Sendable {
    /// How the connection is encrypted.
    package enum Security: Sendable, Hashable {
        /// TLS from the first byte.
        case tls
        /// STARTTLS, before which nothing else is sent.
        case startTLS
        /// STARTTLS where the server offers it; without it, a password is sent only to this machine.
        case opportunistic
    }

    package let host: String
    package let port: Int
    package let security: Security
    /// Nil where the server is used without a login.
    package let user: String?
    package let password: Secret?
    /// The sender's address, without a name.
    package let from: String
    /// The recipients' addresses, at least one.
    package let recipients: [String]

    /// Reads `smtps://user:password@host:465`, `smtp+starttls://…:587` or `smtp://host:25`.
    ///
    /// - Throws: ``AlertError``, which does not repeat the text.
    package init(url: Secret, from: String, recipients: [String]) throws(AlertError) {
        let wanted = "Write smtps://user:password@host:465, smtp+starttls://user:password@host:587 or smtp://host:25."
        guard let parts = URLComponents(string: url.revealed), let host = parts.host, !host.isEmpty else {
            throw AlertError("The mail server's URL cannot be read. \(wanted)")
        }
        switch parts.scheme {
        case "smtps": (security, port) = (.tls, parts.port ?? 465)
        case "smtp+starttls": (security, port) = (.startTLS, parts.port ?? 587)
        case "smtp": (security, port) = (.opportunistic, parts.port ?? 25)
        default: throw AlertError("The mail server's URL has an unknown scheme. \(wanted)")
        }
        self.host = host
        user = parts.user
        password = parts.password.map { Secret($0) }
        for address in [from] + recipients {
            let isPlain = address.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x3C && $0 != 0x3E }
            guard isPlain, address.split(separator: "@", omittingEmptySubsequences: false).count == 2 else {
                throw AlertError("\(address) is not a mail address such as ops@example.com.")
            }
        }
        guard !recipients.isEmpty else {
            throw AlertError("There are no recipients for alert mails. Set ZOHOSYNC_ALERT_SMTP_TO.")
        }
        self.from = from
        self.recipients = recipients
    }

    /// Whether the server is on this machine.
    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}

/// A message as mail carries it (RFC 5322).
struct MailMessage {
    let text: String

    /// - Parameters:
    ///   - date: when it is sent.
    ///   - id: what makes its `Message-ID` unique.
    init(_ alert: Alert, from: String, recipients: [String], date: Date, id: String) {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = .gmt
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss '+0000'"
        let host = from.split(separator: "@").last ?? "localhost"
        let body = Data(alert.text.utf8).base64EncodedString(
            options: [.lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed])
        text = [
            "From: zohosync <\(from)>", "To: \(recipients.joined(separator: ", "))",
            "Subject: \(Self.header(alert.title))",
            "Date: \(formatter.string(from: date))", "Message-ID: <\(id)@\(host)>", "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64",
            "Auto-Submitted: auto-generated",
            "", body,
        ].joined(separator: "\r\n")
    }

    /// Text that a header may hold: as it is where it is plain, else encoded (RFC 2047) in pieces of a line's length.
    private static func header(_ text: String) -> String {
        if text.utf8.count < 60, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { return text }
        var words: [String] = []
        var piece = ""
        for character in text {
            if (piece + String(character)).utf8.count > 42 {
                words.append(piece)
                piece = ""
            }
            piece.append(character)
        }
        words.append(piece)
        return words.map { "=?utf-8?B?\(Data($0.utf8).base64EncodedString())?=" }.joined(separator: "\r\n ")
    }
}
