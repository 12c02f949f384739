import Foundation
import Testing

@testable import ZohoBooks

@Suite struct TokenRefusalTests {
    @Test(arguments: [
        ("invalid_client", "ZOHO_CLIENT_ID"), ("invalid_client_secret", "ZOHO_CLIENT_SECRET"),
        ("invalid_code", "ZOHO_REFRESH_TOKEN"), ("invalid_something_new", "ZOHO_DATA_CENTER"),
    ])
    func aRefusalInsideASuccessNamesWhatToCorrect(error: String, setting: String) async throws {
        try await Script(tokens: { _ in .json(#"{"error":"\#(error)"}"#) }).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .credentials)
            #expect(error.isConfiguration && error.concernsEveryCall)
            #expect(error.description.contains(setting))
            #expect(world.zoho.requests.count == 1)
            #expect(world.time.sleeps.isEmpty)
        }
    }

    private static let accessDenied = Reply.json(
        #"{"error_description":"You have made too many requests continuously. Please try again after some time.","#
            + #""error":"Access Denied","status":"failure"}"#, status: 400)

    @Test func zohosThrottleHoldsForEveryProcessAndThenEnds() async throws {
        try await Script(tokens: { $0 == 1 ? Self.accessDenied : .token(World.accessToken($0)) }).run { world in
            let until = world.time.now.addingTimeInterval(600)
            for client in [world.client, world.client, world.another()] {
                let error = try await failure { _ = try await client.items() }
                #expect(error.kind == .tokenThrottle(until: until))
                #expect(error.description.contains("ten in ten minutes"))
            }
            #expect(world.zoho.requests.count == 1)
            world.time.advance(by: 601)
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 2)
        }
    }

    @Test(arguments: [
        Reply.html(502), .html(500), .json(#"{"error":"internal"}"#, status: 503), .json(""), .json(#"{"access_to"#),
        .json("[]"), .json(#"{"access_token":""}"#), .json(#"{"access_token":"a\nb"}"#),
        Reply(body: .cutOff(#"{"access_token":"#, promised: 400)),
    ])
    func aFaultThatMayPassIsRetried(fault: Reply) async throws {
        try await Script(tokens: { $0 < 3 ? fault : .token(World.accessToken($0)) }).run { world in
            _ = try await world.items()
            #expect(world.zoho.tokenRequests.count == 3)
            #expect(world.time.sleeps == [.milliseconds(750), .milliseconds(1_500)])
        }
        try await Script(tokens: { _ in fault }).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .network)
            #expect(error.description.contains("ZOHO_ACCOUNTS_URL"))
            #expect(world.zoho.tokenRequests.count == 3)
        }
    }

    @Test(arguments: [Reply.html(403), .html(404), .html(302, headers: ["Location": "/login"])])
    func thePageOfAProxyIsNotRetried(page: Reply) async throws {
        try await Script(tokens: { _ in page }).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .network)
            #expect(world.zoho.requests.count == 1)
        }
    }

    @Test(.timeLimit(.minutes(30))) func anAccountsServerThatDripsIsGivenUp() async throws {
        try await Script(
            configure: {
                $0.callTimeout = .milliseconds(60)
            },
            tokens: { _ in
                Reply(body: .dripping)
            }
        ).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .network)
        }
    }
}
