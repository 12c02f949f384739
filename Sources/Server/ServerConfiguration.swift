package import ZohoBooks

/// How the server listens and what it trusts.
package struct ServerConfiguration: Sendable {
    /// The name or address to listen on.
    package var hostname = "127.0.0.1"
    /// The port; 0 takes a free one.
    package var port = 8_080
    /// The secret of Zoho's signature; nil where webhooks are not signed.
    package var webhookSecret: Secret?
    /// The value that `X-Webhook-Key` must have instead; nil where none is expected.
    package var webhookKey: Secret?
    /// Whether webhooks without proof of their origin are accepted although other machines can reach the server.
    package var allowsUnsignedWebhooks = false
    /// Proxies in front of this server whose `X-Forwarded-For` is trusted.
    package var trustedProxies = AddressRange.loopback
    /// How often a stream without events sends a comment: proxies give up after 60 seconds.
    var keepAlive = Duration.seconds(15)
    /// Measures how long the database takes.
    var clock: any Clock<Duration> = ContinuousClock()
    /// Measures how long clients take to send a body.
    var bodyClock: any Clock<Duration> = ContinuousClock()
    /// Bytes of all bodies that may be read at the same time.
    var bodyCapacity = 64 << 20
    /// How long a shutdown may take, in which requests are answered and claimed work is finished.
    var shutdownTimeout = Duration.seconds(20)
    /// How long parts that are stopped after that may take to end.
    var stopTimeout = Duration.seconds(5)
    /// Streams of events that may be open at once.
    var streams = 256
    /// PEM files of the certificate chain and its key; nil for plain HTTP.
    package var tls: (certificate: String, key: String)?

    /// Listens on loopback alone, without secrets.
    package init() {}

    /// Whether only programs on this machine can reach the server.
    var isLoopback: Bool {
        hostname == "localhost" || AddressRange.loopback.contains { $0.contains(hostname) }
    }

    /// The fewest characters of a secret that others may try to guess; Zoho itself accepts no fewer (reference, section
    /// 8.4).
    private static let minimumSecretLength = 12

    /// Where the server listens, as a person reads it.
    var address: String { "\(hostname.contains(":") ? "[\(hostname)]" : hostname):\(port)" }

    /// The URL of the server.
    ///
    /// - Parameter port: the one that it listens on.
    package func url(port: Int) -> String {
        var listening = self
        listening.port = port
        return "\(tls == nil ? "http" : "https")://\(listening.address)"
    }

    /// Throws where the configuration would not be safe.
    func validate() throws(ServerConfigurationError) {
        guard isLoopback || webhookSecret != nil || webhookKey != nil || allowsUnsignedWebhooks else {
            throw .unsigned(hostname: hostname)
        }
        guard !isLoopback else { return }
        for (name, secret) in [("ZOHOSYNC_WEBHOOK_SECRET", webhookSecret), ("ZOHOSYNC_WEBHOOK_KEY", webhookKey)] {
            if let secret, secret.revealed.utf8.count < Self.minimumSecretLength { throw .weak(name) }
        }
    }
}

/// Why the server does not listen.
package enum ServerConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    case unsigned(hostname: String)
    case certificate(String)
    /// The setting of this name is too easy to guess.
    case weak(String)
    case address(String, reason: String)

    package var description: String {
        switch self {
        case .unsigned(let hostname):
            """
            Anyone who can reach \(hostname) could send webhooks. Set ZOHOSYNC_WEBHOOK_SECRET to the secret with which \
            Zoho signs them or ZOHOSYNC_WEBHOOK_KEY to the value of an X-Webhook-Key header, or pass \
            --allow-unsigned-webhooks.
            """
        case .certificate(let reason):
            "The TLS certificate or its key cannot be used: \(reason). Correct the files or their paths."
        case .weak(let name):
            """
            \(name) is too easy to guess for a server that others can reach. Choose 12 to 50 letters and digits, for \
            example with openssl rand -hex 20, and set the same value in Zoho.
            """
        case .address(let address, let reason):
            """
            The server cannot listen at \(address): \(reason). Stop what is listening there, or choose another address with \
            --hostname and --port.
            """
        }
    }
}
