import Foundation
import TestSupport
import Testing

@testable import ZohoSimulator

@Suite struct RefusalTests {
    @Test func aMissingOrMalformedTokenIsCode14() async throws {
        try await withClient(authorized: false) { client, _ in
            for authorization in [nil, "Bearer 1000.a.b", "Zoho-oauthtoken abc"] {
                let headers = authorization.map { ["Authorization": $0] } ?? [:]
                let answer = try await client.send(
                    .get, "/books/v3/items?organization_id=60099900001", headers: headers)
                #expect(answer.status == 401)
                #expect(answer.code == 14)
            }
        }
    }

    @Test func aTokenWithoutTheScopeIsCode57() async throws {
        var configuration = SimulatorConfiguration()
        configuration.oauth.scopes = ["ZohoBooks.settings.READ"]
        try await withClient(configuration) { client, _ in
            #expect(try await client.get("/items").status == 200)
            let answer = try await client.get("/contacts")
            #expect(answer.status == 401)
            #expect(answer.code == 57)
        }
    }

    @Test func anotherOrganisationIsCode6041() async throws {
        try await withClient { client, _ in
            var stranger = client
            stranger.organization = "1"
            let answer = try await stranger.get("/items")
            #expect(answer.status == 400)
            #expect(answer.code == 6041)
            stranger.organization = nil
            #expect(try await stranger.get("/organizations").rows("organizations").count == 1)
        }
    }

    @Test func unknownPathsAndRecordsAreNotFound() async throws {
        try await withClient { client, control in
            let path = try await client.get("/nothing")
            #expect(path.status == 404)
            #expect(path.code == 5)
            for module in SimulatorModule.allCases {
                let record = try await client.get("/\(module.rawValue)/\(control.id(module, at: 999_999))")
                #expect(record.status == 404)
                #expect(record.code == 1002)
                #expect(record.json["message"] as? String == module.noun + " does not exist.")
            }
            #expect(try await client.get("/items/abc").code == 2)
        }
    }

    @Test func undocumentedEndpointsAndModulesCanBeSwitchedOff() async throws {
        var configuration = SimulatorConfiguration()
        configuration.undocumentedEndpoints = []
        configuration.disabledModules = [.salesorders]
        try await withClient(configuration) { client, control in
            #expect(try await client.get("/pricebooks/" + control.id(.pricebooks, at: 0)).code == 5)
            #expect(try await client.get("/items/\(control.id(.items, at: 0))/image").code == 5)
            #expect(try await client.get("/brands").code == 5)
            #expect(try await client.get("/pricebooks").status == 200)
            let disabled = try await client.get("/salesorders")
            #expect(disabled.status == 400)
            #expect(disabled.code != 0)
        }
    }

    @Test func theMinuteLimitOpensAgain() async throws {
        try await withClient(frozen { $0.limits.callsPerMinute = 3 }) {
            (client: Client, control: SimulatorControl) async throws in
            for _ in 0..<3 { #expect(try await client.get("/items", "per_page=1").status == 200) }
            let refused = try await client.get("/items")
            #expect(refused.status == 429)
            #expect(refused.code == 44)
            control.advanceClock(by: .seconds(60))
            #expect(try await client.get("/items").status == 200)
            #expect(control.statistics.answersByStatus == [200: 4, 429: 1])
        }
    }

    @Test func theDayEndsAtMidnightAsTheHeadersSay() async throws {
        try await withClient(frozen { $0.limits.callsPerDay = 2 }) {
            (client: Client, control: SimulatorControl) async throws in
            let first = try await client.get("/items")
            #expect(first.headers["x-rate-limit-limit"] == "2")
            #expect(first.headers["x-rate-limit-remaining"] == "1")
            let reset = try #require(first.headers["x-rate-limit-reset"].flatMap { Int($0) })
            #expect((1...86_400).contains(reset))
            _ = try await client.get("/items")
            let refused = try await client.get("/items")
            #expect(refused.status == 429)
            #expect(refused.code == 45)
            #expect(refused.headers["x-rate-limit-remaining"] == "0")
            control.advanceClock(by: .seconds(reset))
            var fresh = client
            fresh.token = try await client.refresh().json["access_token"] as? String
            #expect(try await fresh.get("/items").status == 200)
        }
    }

    @Test func callsForSingleRecordsHaveASoftLimitOfTheirOwn() async throws {
        try await withClient(frozen { $0.limits.detailCallsPerMinute = 1 }) {
            (client: Client, control: SimulatorControl) async throws in
            let path = "/items/" + control.id(.items, at: 1)
            #expect(try await client.get(path).status == 200)
            #expect(try await client.get(path).code == 43)
            #expect(try await client.get("/items").status == 200)
        }
    }

    @Test func moreCallsAtOnceThanAllowedAreRefused() async throws {
        let gate = GateClock()
        var configuration = SimulatorConfiguration()
        configuration.limits.inFlight = 2
        configuration.latency = .seconds(3_600)
        configuration.clock = gate
        try await withClient(configuration) { client, control in
            let codes = try await withThrowingTaskGroup(of: Int?.self) { group in
                for _ in 0..<6 { group.addTask { try await client.get("/items", "per_page=1").code } }
                var codes: [Int?] = []
                while let code = try await group.next() {
                    codes.append(code)
                    if codes.count == 4 { gate.open() }
                }
                return codes
            }
            #expect(codes == [1070, 1070, 1070, 1070, 0, 0])
            #expect(control.statistics.largestInFlight == 2)
        }
    }

    @Test func onlyReadingIsSimulated() async throws {
        try await withClient { (client: Client, _: SimulatorControl) async throws in
            let answer = try await client.send(
                .post, "/books/v3/items?organization_id=60099900001",
                headers: ["Authorization": "Zoho-oauthtoken \(client.token ?? "")"], body: "{}")
            #expect(answer.status == 405)
        }
    }

    @Test func aCancelledSimulatorReturns() async throws {
        let simulator = ZohoSimulator()
        let (addresses, continuation) = AsyncStream.makeStream(of: String.self)
        let running = Task { try await simulator.run { continuation.yield($0) } }
        let baseURL = try #require(await addresses.first { _ in true })
        #expect(try await Client(baseURL: baseURL).get("/items").code == 14)
        running.cancel()
        try await running.value
    }
}
