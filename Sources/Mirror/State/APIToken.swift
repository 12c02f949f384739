import Crypto
import Database
import Foundation

/// A bearer token of the HTTP API, as far as it is kept: not the token itself, only its digest.
package struct APIToken: Sendable, Hashable {
    /// What a token allows.
    package enum Role: String, Sendable, Hashable, CaseIterable {
        /// To look.
        case read
        /// To look, to start and cancel syncs, to retry and discard dead letters, and to manage tokens.
        case operate
    }

    /// By which it is revoked.
    package let id: Int64
    /// What it is for, as people read it; need not be unique.
    package let name: String
    package let role: Role
    /// Microseconds since 1970.
    package let createdAt: Int64
    /// Microseconds since 1970; nil while it is valid.
    package let revokedAt: Int64?

    /// What every token begins with, so that a leaked one is recognised.
    static let prefix = "zs_"

    /// What a name has to be.
    package static let nameRule = "must have 1 to 100 bytes and no control characters"

    /// Whether a token can have this name.
    package static func isName(_ name: String) -> Bool {
        (1...100).contains(name.utf8.count)
            && name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }

    /// Tokens are 256 random bits, so that one plain hash is enough: there is nothing to guess.
    package static func digest(of secret: String) -> String {
        SHA256.hash(data: Data(secret.utf8)).map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }
}

extension Mirror {
    /// Makes a token.
    ///
    /// - Returns: the token, which nobody can be told again, and what is kept of it.
    package func makeAPIToken(name: String, role: APIToken.Role) async throws -> (secret: String, token: APIToken) {
        let secret =
            APIToken.prefix
            + SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        let time = now()
        let token = try await database.write(.immediate) { transaction in
            let id = try transaction.reserveIDs(1, in: "sync_api_tokens")[0]
            try transaction.execute(
                "insert into sync_api_tokens (id, name, role, digest, created_at) values ($1, $2, $3, $4, $5)",
                [
                    .integer(id), .text(name), .text(role.rawValue), .text(APIToken.digest(of: secret)),
                    .instant(time),
                ])
            return APIToken(id: id, name: name, role: role, createdAt: time, revokedAt: nil)
        }
        return (secret, token)
    }

    /// All tokens, revoked ones included, oldest first.
    package func apiTokens() async throws -> [APIToken] {
        try await database.read { transaction in
            try transaction.query("\(Self.tokenColumns) order by id").compactMap { APIToken($0) }
        }
    }

    /// The valid token that this is, or nil.
    package func apiToken(_ secret: String) async throws -> APIToken? {
        guard secret.hasPrefix(APIToken.prefix) else { return nil }
        let digest = APIToken.digest(of: secret)
        return try await database.read { transaction in
            try transaction.query("\(Self.tokenColumns) where digest = $1 and revoked_at is null", [.text(digest)])
                .first.flatMap { APIToken($0) }
        }
    }

    /// Makes a token worthless from now on.
    ///
    /// - Returns: false where there is no such valid token.
    package func revokeAPIToken(_ id: Int64) async throws -> Bool {
        let time = now()
        return try await database.write(.immediate) { transaction in
            try transaction.execute(
                "update sync_api_tokens set revoked_at = $1 where id = $2 and revoked_at is null",
                [.instant(time), .integer(id)]) > 0
        }
    }

    private static let tokenColumns = "select id, name, role, created_at, revoked_at from sync_api_tokens"
}

extension APIToken {
    fileprivate init?(_ row: SQLRow) {
        guard let id = row.int(0), let name = row.text(1), let role = row.text(2).flatMap(Role.init),
            let createdAt = row.instant(3)
        else { return nil }
        self.init(id: id, name: name, role: role, createdAt: createdAt, revokedAt: row.instant(4))
    }
}
