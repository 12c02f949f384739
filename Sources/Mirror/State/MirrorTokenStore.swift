import Database
import Foundation
package import ZohoBooks

/// Keeps the access token in the mirror, so that all processes on it share one.
package struct MirrorTokenStore: TokenStore {
    private let mirror: Mirror
    /// One process may have several clients, each of which competes for the right to fetch a token.
    private let holder: String

    private static let lease = "fetching an access token"

    /// - Parameter process: which process it is, so that another can tell who is fetching a token.
    package init(_ mirror: Mirror, process: String) {
        self.mirror = mirror
        self.holder = HolderName.unique(process)
    }

    package func load() async throws -> SealedToken? {
        try await mirror.database.read { transaction in
            try transaction.query("select token from sync_tokens").first?.json(0)
        }.flatMap { try? JSONDecoder().decode(SealedToken.self, from: Data($0)) }
    }

    package func save(_ token: SealedToken) async throws {
        let json = Array(try JSONEncoder().encode(token))
        try await mirror.database.write { transaction in
            _ = try transaction.execute(
                """
                insert into sync_tokens (singleton, token) values (1, $1)
                on conflict (singleton) do update set token = excluded.token
                """, [.json(json[...])])
        }
    }

    package func acquireRefresh() async throws -> Bool {
        do {
            try await mirror.acquireLease(Self.lease, holder: holder, duration: 30)
            return true
        } catch is MirrorError {
            return false
        }
    }

    package func releaseRefresh() async throws {
        try await mirror.releaseLease(Self.lease, holder: holder)
    }
}
