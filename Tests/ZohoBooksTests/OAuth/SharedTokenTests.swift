import Foundation
import Testing

@testable import ZohoBooks

@Suite struct SharedTokenTests {
    @Test func theTokenIsAskedForAsZohoWantsIt() async throws {
        try await Script().run { world in
            _ = try await world.items()
            let request = try #require(world.zoho.tokenRequests.first)
            #expect(request.query.isEmpty)
            #expect(request.headers["content-type"] == "application/x-www-form-urlencoded")
            let form = Set(request.body.split(separator: "&").map(String.init))
            #expect(
                form == [
                    "grant_type=refresh_token", "refresh_token=\(World.refreshToken)", "client_id=1000.CLIENT",
                    "client_secret=s3cret%2Bof%2Fthe%3Dclient",
                ])
            #expect(world.zoho.calls.first?.headers["authorization"] == "Zoho-oauthtoken \(World.accessToken(1))")
        }
    }

    @Test(.timeLimit(.minutes(30))) func fiftyCallsAtOnceNeedOneRefresh() async throws {
        let started = Shared(0)
        var limits = BudgetLimits()
        limits.inFlight = 50
        try await Script(
            ledger: InMemoryCallLedger(limits: limits),
            tokens: { _ in
                try await until { started.value == 50 }
                return .token(World.accessToken(1))
            }
        ).run { world in
            let records = try await withThrowingTaskGroup { group in
                for _ in 0..<50 {
                    group.addTask {
                        started.change { $0 += 1 }
                        return try await world.items().records.count
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(records == 50)
            #expect(world.zoho.tokenRequests.count == 1)
            #expect(Set(world.zoho.calls.map(\.token)) == [World.accessToken(1)])
        }
    }

    @Test(.timeLimit(.minutes(30))) func theRefreshOutlivesTheCallThatAskedFirst() async throws {
        let (arrived, released) = (Gate(), Gate())
        try await Script(tokens: { _ in
            arrived.open()
            await released.wait()
            return .token(World.accessToken(1))
        }).run { world in
            let first = Task { try await world.items() }
            await arrived.wait()
            let others = (0..<5).map { _ in Task { try await world.items() } }
            first.cancel()
            // It ends although the accounts server has not answered yet.
            let error = try await failure { _ = try await first.value }
            #expect(error.kind == .cancelled)
            released.open()
            for other in others { #expect(try await other.value.records.count == 1) }
            #expect(world.zoho.tokenRequests.count == 1)
        }
    }

    @Test(.timeLimit(.minutes(30))) func twoClientsOnOneStoreNeedOneRefresh() async throws {
        let (arrived, released, polled, saved) = (Gate(), Gate(), Gate(), Gate())
        try await Script(tokens: { _ in
            arrived.open()
            await released.wait()
            return .token(World.accessToken(1))
        }).run { world in
            let other = world.another(sleep: { _ in
                polled.open()
                await saved.wait()
            })
            let first = Task { try await world.items() }
            await arrived.wait()
            let second = Task { try await other.items() }
            await polled.wait()
            released.open()
            _ = try await first.value
            saved.open()
            _ = try await second.value
            #expect(world.zoho.tokenRequests.count == 1)
            #expect(world.zoho.calls.map(\.token) == [World.accessToken(1), World.accessToken(1)])
        }
    }

    @Test func aTokenInTheStoreIsUsedByALaterProcess() async throws {
        try await Script().run { world in
            _ = try await world.items()
            _ = try await world.another().items()
            #expect(world.zoho.tokenRequests.count == 1)
        }
    }

    @Test func aTokenThatIsAskedForAnewIsSharedAndHalfOfThemAreLeftToOthers() async throws {
        try await Script(tokens: { .token(World.accessToken($0)) }).run { world in
            try await world.client.checkAccess()
            try await world.client.checkAccess()
            #expect(world.zoho.tokenRequests.count == 1)
            try await world.client.checkAccess(renewing: true)
            #expect(world.zoho.tokenRequests.count == 2)
            _ = try await world.another().items()
            #expect(world.zoho.calls.map(\.token) == [World.accessToken(2)])
            for _ in 0..<12 { try await world.client.checkAccess(renewing: true) }
            #expect(world.zoho.tokenRequests.count == 5)
        }
    }

    @Test func aStoreThatFailsIsNotMistakenForZoho() async throws {
        struct Broken: TokenStore, Error {
            func load() async throws -> SealedToken? { throw self }
            func save(_ token: SealedToken) async throws { throw self }
            func acquireRefresh() async throws -> Bool { throw self }
            func releaseRefresh() async throws { throw self }
        }
        try await Script(store: Broken()).run { world in
            await #expect(throws: Broken.self) { try await world.items() }
            #expect(world.zoho.requests.isEmpty)
        }
    }

    @Test func anotherProcessThatNeverFinishesIsNotWaitedForForEver() async throws {
        let store = InMemoryTokenStore()
        #expect(store.acquireRefresh())
        try await Script(store: store).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .network)
            #expect(world.time.sleeps.reduce(.zero, +) >= .seconds(30))
            #expect(world.zoho.requests.isEmpty)
        }
    }
}
