import Crypto
import Foundation

/// Encrypts access tokens at rest, so that a copy of the database is no key to the books.
///
/// AES-GCM with a key derived from the client secret. The client id and the refresh token are authenticated with it, so
/// that a token of other credentials is not taken for one of these.
struct TokenSeal: Sendable {
    private let key: SymmetricKey
    private let context: Data

    private struct Content: Codable {
        let value: String
        let apiDomain: String?
        let expiresAt: Date
        let renewAt: Date
    }

    init(_ configuration: ZohoBooksConfiguration) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Data(configuration.clientSecret.value.utf8)),
            info: Data("zohosync access token".utf8), outputByteCount: 32)
        context = Data(
            SHA256.hash(data: Data("\(configuration.clientID)\n\(configuration.refreshToken.value)".utf8)))
    }

    func seal(_ token: AccessToken) throws -> [UInt8] {
        let content = Content(
            value: token.value.value, apiDomain: token.apiDomain, expiresAt: token.expiresAt, renewAt: token.renewAt)
        let box = try AES.GCM.seal(try JSONEncoder().encode(content), using: key, authenticating: context)
        return box.combined.map { Array($0) } ?? []
    }

    /// The token, or nil where it was sealed for other credentials.
    func open(_ sealed: [UInt8]) -> AccessToken? {
        guard let box = try? AES.GCM.SealedBox(combined: sealed),
            let data = try? AES.GCM.open(box, using: key, authenticating: context),
            let content = try? JSONDecoder().decode(Content.self, from: data)
        else { return nil }
        return AccessToken(
            value: Secret(content.value), apiDomain: content.apiDomain, expiresAt: content.expiresAt,
            renewAt: content.renewAt)
    }
}

extension TokenSeal: CustomReflectable {
    /// Without the key.
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// A token in use.
struct AccessToken: Sendable, Hashable {
    let value: Secret
    /// `api_domain`: where this organisation's API is.
    let apiDomain: String?
    let expiresAt: Date
    /// When another one is fetched, in good time before it expires.
    let renewAt: Date
}
