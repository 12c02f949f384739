import Foundation
import TestSupport
import Testing

@testable import ZohoBooks

@Suite struct SecrecyTests {
    private static let secrets = [
        World.secret, World.secret.percentEncoded, World.refreshToken, World.accessToken(1), World.accessToken(2),
    ]
    /// A text as a careless server would echo it.
    private static let echo = secrets.joined(separator: " and ")

    private static func expectNoSecret(
        in texts: [String], _ location: SourceLocation = #_sourceLocation
    ) {
        // Also no part of one, left over where a text was cut.
        let parts = secrets + ["aaaaaaaaaaaaaaaa", "5a5a5a5a5a5a"]
        for text in texts {
            let found = parts.filter { text.contains($0) }
            #expect(found.isEmpty, sourceLocation: location)
        }
    }

    private static func texts(_ value: some Any) -> [String] {
        var dumped = ""
        dump(value, to: &dumped)
        return ["\(value)", String(reflecting: value), dumped]
    }

    @Test(arguments: [
        Reply.refusal(400, 2, echo), .refusal(401, 57, echo), .refusal(401, 14, echo), .refusal(404, 1_002, echo),
        .refusal(429, 44, echo), .refusal(500, 1_000, echo),
        .refusal(200, 77, String(repeating: "x", count: 90) + echo),
        .json("<html>\(echo)</html>", status: 502), .json("<html>\(echo)</html>", status: 404), .json(echo),
        .json(#"{"code":0,"\#(echo)":1}"#), .html(302, headers: ["Location": "/?token=\(World.accessToken(1))"]),
        Reply(body: .cutOff(echo, promised: 9_000)),
    ])
    func noErrorAndNoLogLineHoldsWhatZohoEchoes(reply: Reply) async throws {
        try await Script(calls: { _, _ in reply }).run { world in
            let error = try await failure { _ = try await world.items() }
            Self.expectNoSecret(in: Self.texts(error) + world.log.lines)
        }
    }

    @Test(arguments: [
        Reply.json(#"{"error":"\#(echo)"}"#), .json(#"{"error":"x","error_description":"\#(echo)"}"#, status: 400),
        .json(echo), .json(echo, status: 503), .json(#"{"access_token":"\#(World.accessToken(1))\u0000"}"#),
    ])
    func noErrorAndNoLogLineHoldsWhatTheAccountsServerEchoes(reply: Reply) async throws {
        try await Script(tokens: { _ in reply }).run { world in
            let error = try await failure { _ = try await world.items() }
            Self.expectNoSecret(in: Self.texts(error) + world.log.lines)
        }
    }

    @Test func logLinesAreWrittenAndHoldNoSecret() async throws {
        try await Script(calls: { _, number in
            [1: Reply.refusal(401, 57, Self.echo), 2: .refusal(429, 44, Self.echo), 3: .json(Self.echo)][number]
                ?? .items
        }).run { world in
            _ = try await world.items()
            #expect(world.log.lines.count >= 5)
            Self.expectNoSecret(in: world.log.lines)
        }
    }

    @Test func nothingThatIsDumpedHoldsASecret() async throws {
        try await Script().run { world in
            _ = try await world.items()
            Self.expectNoSecret(in: Self.texts(world.configuration))
            Self.expectNoSecret(in: Self.texts(world.client))
            Self.expectNoSecret(in: Self.texts(world.client.tokens) + Self.texts(world.client.transport))
            Self.expectNoSecret(in: Self.texts(world.store))
            Self.expectNoSecret(in: Self.texts(try await world.client.tokens.token()))
            Self.expectNoSecret(in: Self.texts(TokenAnswer.token(try await world.client.tokens.token())))
        }
    }

    @Test(arguments: [301, 302, 303, 307, 308]) func noTokenAndNoSecretFollowsARedirect(status: Int) async throws {
        let elsewhere = ScriptedZoho { _, _ in .items }
        try await elsewhere.serving { baseURL in
            let redirect = Reply.html(status, headers: ["Location": baseURL + "/books/v3/items"])
            try await Script(calls: { _, _ in redirect }).run { world in
                let error = try await failure { _ = try await world.items() }
                #expect(error.kind == .invalidAnswer)
                #expect(error.description.contains("a redirect"))
                #expect(world.zoho.calls.count == 1)
            }
            try await Script(tokens: { _ in redirect }).run { world in
                let error = try await failure { _ = try await world.items() }
                #expect(error.kind == .network)
                #expect(world.zoho.requests.count == 1)
            }
            #expect(elsewhere.requests.isEmpty)
        }
    }

    @Test func aTokenThatWouldBreakOutOfItsHeaderIsNotUsed() async throws {
        let token = #"1000.aaaaaaaaaaaaaaaaaaaaaaaa.bb\r\nX-Evil: 1"#
        try await Script(tokens: { _ in .token(token) }).run { world in
            let error = try await failure { _ = try await world.items() }
            Self.expectNoSecret(in: Self.texts(error) + world.log.lines)
            #expect(world.zoho.calls.isEmpty)
        }
    }

    @Test func aSecretIsRedactedEverywhere() throws {
        let secret = Secret("hidden")
        #expect(Self.texts(secret).allSatisfy { !$0.contains("hidden") })
        #expect(Self.texts(["key": Optional(secret)]).allSatisfy { !$0.contains("hidden") })
        #expect("\(Mirror(reflecting: secret).children.count)" == "0")
    }

    @Test func textsAreCutInsideNoSecret() {
        var configuration = ZohoBooksConfiguration(
            clientID: "id", clientSecret: Secret("swordfish"), refreshToken: Secret(""), organizationID: "1",
            dataCenter: .eu)
        for length in 0..<150 {
            let text = Redaction(configuration).clean(String(repeating: "x", count: length) + "swordfish\n\n  end")
            #expect(!text.contains("sword"))
            #expect(text.count <= Redaction.maximumLength)
        }
        // A secret that is empty or in no text changes nothing.
        configuration.clientSecret = Secret("")
        #expect(Redaction(configuration).clean("a  b") == "a b")
    }
}
