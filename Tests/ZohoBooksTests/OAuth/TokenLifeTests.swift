import Foundation
import Testing

@testable import ZohoBooks

@Suite struct TokenLifeTests {
    @Test func aTokenIsReplacedBeforeItExpires() async throws {
        try await Script().run { world in
            _ = try await world.items()
            world.time.advance(by: 3_299)
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 1)
            world.time.advance(by: 2)
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 2)
            #expect(world.zoho.calls.last?.token == World.accessToken(2))
        }
    }

    /// Older answers gave milliseconds; no token lives longer than an hour.
    @Test(arguments: ["3600000", #""3600""#, "3600.0"])
    func theLifeIsReadWhateverItsShape(life: String) async throws {
        try await Script(tokens: { .token(World.accessToken($0), life: life) }).run { world in
            _ = try await world.items()
            world.time.advance(by: 3_299)
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 1)
            world.time.advance(by: 2)
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 2)
        }
    }

    @Test(arguments: [14, 57]) func aRefusedTokenIsReplacedOnce(code: Int) async throws {
        try await Script(calls: { request, _ in
            request.token == World.accessToken(1) ? .refusal(401, code) : .items
        }).run { world in
            _ = try await world.items()
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 2)
            #expect(world.zoho.calls.map(\.token) == [1, 2, 2].map(World.accessToken))
        }
    }

    @Test func aRefusedTokenIsReplacedByTheOneThatAnotherProcessHasFetched() async throws {
        try await Script(calls: { request, _ in
            request.token == World.accessToken(1) ? .refusal(401, 57) : .items
        }).run { world in
            // Both processes begin with the first token, which Zoho revokes.
            _ = try await world.client.tokens.token()
            let other = world.another()
            _ = try await other.tokens.token()
            _ = try await other.items()
            #expect(world.zoho.tokenRequests.count == 2)
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 2)
            #expect(world.zoho.calls.map(\.token) == [1, 2, 1, 2].map(World.accessToken))
        }
    }

    @Test func callsThatAreRefusedTogetherNeedOneRefresh() async throws {
        let refused = Shared(0)
        try await Script(calls: { request, _ in
            guard request.token == World.accessToken(1) else { return .items }
            refused.change { $0 += 1 }
            try await until { refused.value == 8 }
            return .refusal(401, 57)
        }).run { world in
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 { group.addTask { _ = try await world.items() } }
                try await group.waitForAll()
            }
            #expect(world.zoho.tokenRequests.count == 2)
        }
    }

    /// Code 57 also means a missing scope, and every module without it would cost one of the ten tokens.
    @Test func aMissingScopeCostsOneTokenAndNoMore() async throws {
        try await Script(calls: { request, _ in
            request.path.hasSuffix("/bills") ? .refusal(401, 57, "You are not authorized") : .items
        }).run { world in
            for _ in 0..<5 {
                let error = try await failure { _ = try await world.client.page(1, of: ListRequest(path: "bills")) }
                #expect(error.kind == .scope)
                #expect(error.code == 57)
                #expect(error.isConfiguration)
            }
            #expect(try await world.items().records.count == 1)
            #expect(world.zoho.tokenRequests.count == 2)
            world.time.advance(by: 601)
            _ = try await failure { _ = try await world.client.page(1, of: ListRequest(path: "bills")) }
            #expect(world.zoho.tokenRequests.count == 3)
        }
    }

    @Test func noMoreThanNineTokensAreFetchedInTenMinutes() async throws {
        try await Script(tokens: { .token(World.accessToken($0), life: "4") }).run { world in
            let began = world.time.now
            for _ in 0..<9 {
                _ = try await world.items()
                world.time.advance(by: 4)
            }
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .tokenThrottle(until: began.addingTimeInterval(600)))
            #expect(error.concernsEveryCall)
            #expect(world.zoho.tokenRequests.count == 9)
            world.time.advance(by: 600)
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 10)
        }
    }
}
