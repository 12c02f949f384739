public import struct Foundation.URL

/// A value that must appear in no log, error or table.
///
/// Its descriptions are redacted.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    let value: String

    /// Wraps a secret.
    public init(_ value: String) {
        self.value = value
    }

    /// Never the value.
    public var description: String { "<redacted>" }
    /// Never the value.
    public var debugDescription: String { "<redacted>" }
}

extension Secret: CustomReflectable {
    /// Without children, so that `dump` and what else looks inside shows nothing either.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Zoho's data centres, by the end of their host names (reference, section 1.1).
public enum DataCenter: String, Sendable, Hashable, CaseIterable {
    case com
    case eu
    case `in`
    case australia = "com.au"
    case jp
    case ca
    case sa
    case china = "com.cn"
    case uk

    /// Where tokens are issued.
    public var accountsURL: String {
        // Canada alone has another name there.
        self == .ca ? "https://accounts.zohocloud.ca" : "https://accounts.zoho.\(rawValue)"
    }

    /// Where the API answers, unless a token says otherwise.
    public var apiURL: String { "https://www.zohoapis.\(rawValue)" }
}

/// What a client needs to know.
public struct ZohoBooksConfiguration: Sendable {
    /// The client's id from Zoho's API console.
    public var clientID: String
    /// The client's secret.
    public var clientSecret: Secret
    /// The refresh token, which does not expire by itself (reference, section 1.4).
    public var refreshToken: Secret
    /// The organisation whose records are read.
    public var organizationID: String
    /// Where the organisation lives.
    public var dataCenter: DataCenter
    /// Overrides the data centre's accounts host, for a simulator or a proxy.
    public var accountsURL: URL?
    /// Overrides the API host that the data centre and the token say.
    public var apiURL: URL?
    /// How long a connection may take to be made.
    public var connectTimeout: Duration = .seconds(10)
    /// How long a connection may stay silent in the middle of an answer.
    public var idleTimeout: Duration = .seconds(30)
    /// How long an answer may take from the call to its last byte.
    public var callTimeout: Duration = .seconds(60)
    /// How failed calls are repeated.
    public var retries = RetryPolicy()
    /// The longest pause that is waited out inside a call; a longer one is an error of the kind `unavailable`.
    public var maximumWait: Duration = .seconds(150)

    /// How many items one `itemdetails` call asks for; Zoho's maximum is undocumented, and 100 are safe (section 6.1).
    public var itemDetailsSize = 100

    /// Describes a client.
    public init(
        clientID: String, clientSecret: Secret, refreshToken: Secret, organizationID: String, dataCenter: DataCenter
    ) {
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.refreshToken = refreshToken
        self.organizationID = organizationID
        self.dataCenter = dataCenter
    }

    /// Where tokens are asked for, without a slash at the end.
    var accounts: String { accountsURL?.base ?? dataCenter.accountsURL }
}

extension URL {
    /// The address to which paths are appended: without a slash at its end.
    var base: String {
        let text = absoluteString
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
}
