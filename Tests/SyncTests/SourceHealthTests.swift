import Catalog
import Database
import Foundation
import Logging
import Mirror
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

/// Each test breaks the real thing, and sees the check change and come back.
@Suite("Health of the access to Zoho")
struct SourceHealthTests {
    @Test("A refresh token that is revoked is critical; an expired access token is renewed by healing")
    func token() async throws {
        try await Rig.with(.sqlite) { rig in
            #expect(try await HealthTests.checks(rig, .access)["token"]?.state == .ok)
            rig.control.advanceClock(by: .seconds(7_200))
            #expect(try await HealTests.heal(rig)["refresh_token"]?.changed == 1)
            #expect(try await HealTests.heal(rig)["refresh_token"] == nil)
            rig.control.revokeTokens()
            rig.control.advanceClock(by: .seconds(7_200))
            let check = try await HealthTests.checks(rig, .access)["token"]
            #expect(check?.state == .critical)
            #expect(check?.advice.contains("ZOHO_REFRESH_TOKEN") == true)
            let failed = try await HealTests.heal(rig)["refresh_token"]
            #expect(failed?.state == .failed)
            #expect(try await rig.mirror.healings().first == failed)
            let code = try #require(rig.control.configuration.oauth.grantCodes.first)
            _ = try await rig.withClient { try await $0.refreshToken(forGrant: Secret(code)) }
            #expect(try await HealthTests.checks(rig, .access)["token"]?.state == .ok)
        }
    }

    @Test(
        "A refresh token that is revoked is critical while the access token would still do, and the dead one is dropped",
        arguments: Engine.allCases)
    func revoked(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            func state(_ depth: HealthInspector.Depth) async throws -> HealthCheck.State? {
                try await HealthTests.checks(rig, depth)["token"]?.state
            }
            #expect(try await state(.source) == .ok)
            let issued = rig.control.liveTokens
            for _ in 0..<3 { #expect(try await state(.access) == .ok) }
            #expect(rig.control.liveTokens == issued, "an ordinary look asks for none")
            #expect(try await state(.source) == .ok)
            #expect(rig.control.liveTokens.count == issued.count + 1)
            let shared = try #require(rig.control.liveTokens.last)
            #expect(rig.control.liveTokens.filter { !issued.contains($0) } == [shared])
            #expect(try await state(.access) == .ok)
            #expect(rig.control.liveTokens.count == issued.count + 1, "the new one is shared")

            rig.control.revokeTokens()
            #expect(try await state(.access) == .ok, "nobody has used it since")
            #expect(try await state(.source) == .critical)
            #expect(try await state(.access) == .critical)
            let code = try #require(rig.control.configuration.oauth.grantCodes.first)
            _ = try await rig.withClient { try await $0.refreshToken(forGrant: Secret(code)) }
            #expect(try await state(.access) == .ok)
        }
    }

    @Test("A call that finds the refresh token revoked leaves no access token that seems to be good")
    func revokedDuringSync() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["pricelists"])
            rig.control.revokeTokens()
            _ = try? await rig.sync(["pricelists"])
            #expect(try await HealthTests.checks(rig, .access)["token"]?.state == .critical)
        }
    }

    @Test("A missing scope is told module by module, until there is a token that has it")
    func scopes() async throws {
        try await Rig.with(.sqlite) {
            $0.oauth.scopes = ["ZohoBooks.contacts.READ", "ZohoBooks.settings.READ", "ZohoBooks.invoices.READ"]
        } _: { rig in
            let check = try await HealthTests.checks(rig, .source)["scopes"]
            #expect(check?.state == .critical)
            #expect(check?.parts?["ZohoBooks.bills.READ"] == 1)
            #expect(check?.parts?["ZohoBooks.contacts.READ"] == nil)
            #expect(check?.advice.contains("zohosync auth scopes") == true)
            rig.control.setScopes(["ZohoBooks.fullaccess.all"])
            rig.control.advanceClock(by: .seconds(3_600))
            #expect(try await HealthTests.checks(rig, .source)["scopes"]?.state == .ok)
        }
    }

    @Test("An organisation that is not the user's is told module by module, until it is corrected")
    func otherOrganisation() async throws {
        try await Rig.with(.sqlite) { rig in
            let check = try await HealthTests.checks(rig, .source, askedOrganizationID: "1")["scopes"]
            #expect(check?.state == .critical)
            #expect(check?.parts?["bills"] == 1)
            #expect(check?.advice.contains("ZOHO_ORGANIZATION_ID") == true)
            #expect(try await HealthTests.checks(rig, .source)["scopes"]?.state == .ok)
        }
    }

    @Test("A clock that goes wrong is seen against Zoho's")
    func clock() async throws {
        try await Rig.with(.sqlite) { rig in
            #expect(try await HealthTests.checks(rig, .source)["clock_skew_seconds"]?.state == .ok)
            // The simulator's answers are dated by the real clock.
            rig.control.advanceClock(by: .seconds(120))
            #expect(try await HealthTests.checks(rig, .source)["clock_skew_seconds"]?.state == .warning)
            rig.control.advanceClock(by: .seconds(600))
            let check = try await HealthTests.checks(rig, .source)["clock_skew_seconds"]
            #expect(check?.state == .critical)
            #expect(check?.advice.contains("ahead of") == true)
            rig.control.advanceClock(by: .seconds(-720))
            #expect(try await HealthTests.checks(rig, .source)["clock_skew_seconds"]?.state == .ok)
        }
    }

    @Test("A day whose calls will not last is foreseen, and one whose calls are gone is critical")
    func budget() async throws {
        try await Rig.with(.sqlite) {
            $0.limits.callsPerDay = 100
        } _: { rig in
            #expect(try await HealthTests.checks(rig, .source)["budget_forecast_percent"]?.figure ?? 0 > 0)
            try await rig.withClient { client in
                for _ in 0..<92 {
                    _ = try await client.page(
                        1, of: ListRequest(path: "items", listKey: "items"), priority: .interactive)
                }
            }
            let check = try await HealthTests.checks(rig, .access)["budget_forecast_percent"]
            #expect(check?.state == .critical)
            #expect(check?.parts?["left"] == 0)
        }
    }

    @Test("A pace at which the calls will not last is foreseen while some are left, and forgotten with the day")
    func forecast() async throws {
        try await Rig.with(.sqlite) {
            $0.limits.callsPerDay = 100
            // Noon by the organisation's clock, at which its day of calls is half over.
            $0.now = { Date(timeIntervalSince1970: 1_772_535_600) }
        } _: { rig in
            func call(_ number: Int) async throws {
                try await rig.withClient { client in
                    for _ in 0..<number {
                        _ = try await client.page(
                            1, of: ListRequest(path: "items", listKey: "items"), priority: .interactive)
                    }
                }
            }
            func check() async throws -> HealthCheck {
                try #require(try await HealthTests.checks(rig, .access)["budget_forecast_percent"])
            }
            try await call(30)
            #expect(try await check().state == .ok)
            try await call(17)
            #expect(try await check().state == .warning)
            #expect(try await check().figure > 90)
            #expect(try await check().parts?["left"] == 53)
            try await call(10)
            #expect(try await check().state == .critical)
            rig.control.advanceClock(by: .seconds(86_400))
            try await call(1)
            #expect(try await check().state == .ok)
        }
    }
}
