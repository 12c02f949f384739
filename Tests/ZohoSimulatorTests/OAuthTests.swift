import Foundation
import Testing

@testable import ZohoSimulator

@Suite struct OAuthTests {
    @Test func aRefreshGivesATokenThatWorks() async throws {
        try await withClient(authorized: false) { client, control in
            let answer = try await client.refresh()
            #expect(answer.status == 200)
            #expect(answer.json["api_domain"] as? String == client.baseURL)
            #expect(answer.json["expires_in"] as? Int == 3_600)
            #expect(answer.json["refresh_token"] == nil)
            var client = client
            client.token = answer.json["access_token"] as? String
            #expect(try await client.get("/items").status == 200)
            #expect(control.statistics.tokenRequests == 1)
        }
    }

    @Test func formParametersWorkAndJSONDoesNot() async throws {
        try await withClient(authorized: false) { client, _ in
            let form =
                "grant_type=authorization_code&code=1000.simulator.grant&client_id=1000.SIMULATOR"
                + "&client_secret=simulator-secret"
            let type = ["Content-Type": "application/x-www-form-urlencoded"]
            let first = try await client.send(.post, "/oauth/v2/token", headers: type, body: form)
            #expect(first.json["refresh_token"] as? String == "1000.simulator.refresh")
            let second = try await client.send(.post, "/oauth/v2/token", headers: type, body: form)
            #expect(second.status == 200)
            #expect(second.json["error"] as? String == "invalid_code")
            let json = try await client.send(
                .post, "/oauth/v2/token", headers: ["Content-Type": "application/json"],
                body: #"{"client_id":"1000.SIMULATOR"}"#)
            #expect(json.json["error"] != nil)
            #expect(try await client.send(.get, "/oauth/v2/token").json["error"] != nil)
        }
    }

    @Test(arguments: [
        ("client_id=1000.OTHER&client_secret=simulator-secret", "invalid_client"),
        ("client_id=1000.SIMULATOR&client_secret=wrong", "invalid_client_secret"),
        ("client_id=1000.SIMULATOR&client_secret=simulator-secret&refresh_token=wrong", "invalid_code"),
    ])
    func wrongCredentialsAreAnErrorInsideASuccess(parameters: String, error: String) async throws {
        try await withClient(authorized: false) { client, _ in
            let answer = try await client.send(.post, "/oauth/v2/token?grant_type=refresh_token&" + parameters)
            #expect(answer.status == 200)
            #expect(answer.json["error"] as? String == error)
        }
    }

    @Test func theEleventhTokenInTenMinutesIsRefused() async throws {
        try await withClient(frozen(), authorized: false) { client, control in
            for _ in 0..<10 { #expect(try await client.refresh().status == 200) }
            let refused = try await client.refresh()
            #expect(refused.status == 400)
            #expect(refused.json["error"] as? String == "Access Denied")
            control.advanceClock(by: .seconds(601))
            #expect(try await client.refresh().status == 200)
        }
    }

    @Test func aTokenExpiresAfterAnHour() async throws {
        try await withClient(frozen()) { client, control in
            control.advanceClock(by: .seconds(3_599))
            #expect(try await client.get("/items").status == 200)
            control.advanceClock(by: .seconds(1))
            let answer = try await client.get("/items")
            #expect(answer.status == 401)
            #expect(answer.code == 57)
        }
    }

    @Test func theSixteenthTokenEvictsTheFirst() async throws {
        try await withClient(frozen { $0.oauth.tokensPerTenMinutes = nil }) { client, _ in
            for _ in 0..<14 { _ = try await client.refresh() }
            #expect(try await client.get("/items").status == 200)
            _ = try await client.refresh()
            #expect(try await client.get("/items").code == 57)
        }
    }

    @Test func aRevokedRefreshTokenGivesNothingMore() async throws {
        try await withClient { client, _ in
            let answer = try await client.send(.post, "/oauth/v2/token/revoke?token=1000.simulator.refresh")
            #expect(answer.status == 200)
            #expect(try await client.get("/items").code == 57)
            #expect(try await client.refresh().json["error"] as? String == "invalid_code")
        }
    }
}
