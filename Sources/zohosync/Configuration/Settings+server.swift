import Configuration
import Foundation
import Server

extension Settings {
    /// How the server listens; flags override it.
    func server() throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        if let hostname = reader.string(forKey: "zohosync.hostname") { configuration.hostname = hostname }
        if let port = try number("zohosync.port", "ZOHOSYNC_PORT", 0...65_535) { configuration.port = port }
        configuration.webhookSecret = secret("zohosync.webhookSecret")
        configuration.webhookKey = secret("zohosync.webhookKey")
        if let text = reader.string(forKey: "zohosync.trustedProxies") {
            let variable = "ZOHOSYNC_TRUSTED_PROXIES"
            configuration.trustedProxies = try text.split(separator: ",").map { part in
                guard let range = AddressRange(part.trimmingCharacters(in: .whitespaces)) else {
                    throw SettingsError.invalid(variable, text, "addresses and ranges such as 127.0.0.1, 10.0.0.0/8")
                }
                return range
            }
        }
        let certificate = reader.string(forKey: "zohosync.tlsCertificate")
        let key = reader.string(forKey: "zohosync.tlsKey")
        switch (certificate, key) {
        case (nil, nil): break
        case (let certificate?, let key?): configuration.tls = (certificate, key)
        case (nil, _): throw SettingsError.missing("ZOHOSYNC_TLS_CERTIFICATE")
        case (_, nil): throw SettingsError.missing("ZOHOSYNC_TLS_KEY")
        }
        return configuration
    }

    /// `ZOHOSYNC_WORKERS`: how many workers apply deliveries in parallel, 1 to 16.
    func workers() throws -> Int { try number("zohosync.workers", "ZOHOSYNC_WORKERS", 1...16) ?? 2 }

    /// `ZOHOSYNC_TRUST_DELETIONS`: whether a deletion that a delivery reports is believed without a call.
    func trustsDeletions() throws -> Bool {
        try flag("zohosync.trustDeletions", "ZOHOSYNC_TRUST_DELETIONS") ?? false
    }

    /// Whether webhooks are meant to arrive.
    var expectsWebhooks: Bool {
        secret("zohosync.webhookSecret") != nil || secret("zohosync.webhookKey") != nil
    }
}
