import Foundation
import Testing

@testable import ZohoBooks

@Suite struct TokenSealTests {
    private static func configuration(
        id: String = "id", secret: String = "secret", refreshToken: String = "refresh"
    ) -> ZohoBooksConfiguration {
        ZohoBooksConfiguration(
            clientID: id, clientSecret: Secret(secret), refreshToken: Secret(refreshToken), organizationID: "1",
            dataCenter: .eu)
    }

    private static let token = AccessToken(
        value: Secret(World.accessToken(1)), apiDomain: "https://www.zohoapis.eu",
        expiresAt: Date(timeIntervalSince1970: 1_772_003_600), renewAt: Date(timeIntervalSince1970: 1_772_003_300))

    @Test func aTokenComesBackWithTheSameCredentials() throws {
        let sealed = try TokenSeal(Self.configuration()).seal(Self.token)
        #expect(TokenSeal(Self.configuration()).open(sealed) == Self.token)
        #expect(!String(decoding: sealed, as: UTF8.self).contains("1000."))
    }

    @Test func aTokenIsSealedDifferentlyEachTime() throws {
        let seal = TokenSeal(Self.configuration())
        #expect(try seal.seal(Self.token) != seal.seal(Self.token))
    }

    @Test(arguments: [
        ("id", "other", "refresh"), ("id", "secret", "other"), ("other", "secret", "refresh"),
    ])
    func otherCredentialsDoNotOpenIt(id: String, secret: String, refreshToken: String) throws {
        let sealed = try TokenSeal(Self.configuration()).seal(Self.token)
        let other = TokenSeal(Self.configuration(id: id, secret: secret, refreshToken: refreshToken))
        #expect(other.open(sealed) == nil)
    }

    @Test func aChangedByteOrACutOffSealDoesNotOpen() throws {
        let seal = TokenSeal(Self.configuration())
        let sealed = try seal.seal(Self.token)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(seal.open(changed) == nil)
            #expect(seal.open(Array(sealed[..<index])) == nil)
        }
    }

    @Test func theStoreNeverSeesAToken() async throws {
        let store = InMemoryTokenStore()
        try await Script(store: store).run { world in
            _ = try await world.items()
            let stored = try #require(store.load())
            let json = String(decoding: try JSONEncoder().encode(stored), as: UTF8.self)
            let bytes = String(decoding: stored.sealed, as: UTF8.self)
            for secret in [World.accessToken(1), World.secret, World.refreshToken] {
                #expect(!json.contains(secret) && !bytes.contains(secret))
            }
            #expect(stored.expiresAt == world.time.now.addingTimeInterval(3_600))
        }
    }

    @Test func aTokenOfOtherCredentialsIsReplacedAndNotUsed() async throws {
        let store = InMemoryTokenStore()
        let foreign = try TokenSeal(Self.configuration()).seal(Self.token)
        store.save(SealedToken(sealed: foreign, expiresAt: .distantFuture, issued: []))
        try await Script(store: store).run { world in
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 1)
        }
    }
}
