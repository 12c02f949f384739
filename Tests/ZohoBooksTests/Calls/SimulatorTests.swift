import Foundation
import Testing
import ZohoSimulator

@testable import ZohoBooks

@Suite struct SimulatorTests {
    private static let items = ListRequest(path: "items", filter: "Status.All")

    @Test(arguments: [
        SimulatorFault.internalError, .badGateway, .truncatedBody, .emptyBody, .connectionReset, .connectionLost,
        .errorInSuccess,
    ])
    func everyFaultThatPassesIsOutlived(fault: SimulatorFault) async throws {
        try await Simulation().run { client, control, time in
            control.script(fault, next: 2)
            let page = try await client.page(1, of: Self.items)
            #expect(page.records.count == 200 && page.hasMore)
            #expect(control.statistics.calls == 3)
            #expect(time.sleeps.count == 2)
        }
    }

    @Test func expiredTokensAreReplaced() async throws {
        try await Simulation().run { client, control, time in
            _ = try await client.page(1, of: Self.items)
            control.expireTokens()
            _ = try await client.page(2, of: Self.items)
            time.advance(by: 3_301)
            _ = try await client.page(3, of: Self.items)
            #expect(control.statistics.tokenRequests == 3)
            #expect(control.statistics.calls == 4)
        }
    }

    @Test func aDisabledModuleIsUnavailable() async throws {
        try await Simulation({ $0.disabledModules = [.salesorders] }).run { client, control, _ in
            let error = try await failure { _ = try await client.page(1, of: ListRequest(path: "salesorders")) }
            #expect(error.kind == .moduleUnavailable)
            #expect(error.code == 110_001)
            #expect(!error.concernsEveryCall)
            #expect(control.statistics.calls == 1)
        }
    }

    @Test func anUnknownPathIsUnavailableAndAnUnknownRecordIsNil() async throws {
        try await Simulation({ $0.undocumentedEndpoints = [] }).run { client, control, _ in
            let id = control.id(.pricebooks, at: 0)
            let error = try await failure {
                _ = try await client.record("pricebooks", id: id, detailKey: "pricebook")
            }
            #expect(error.kind == .endpointMissing && !error.concernsEveryCall)
            #expect(try await client.record("items", id: "999", detailKey: "item") == nil)
            #expect(try await client.record("items", id: control.id(.items, at: 0), detailKey: "item") != nil)
        }
    }

    @Test func aWrongScopeOrOrganisationIsNamed() async throws {
        try await Simulation({ $0.oauth.scopes = ["ZohoBooks.contacts.READ"] }).run { client, _, _ in
            let error = try await failure { _ = try await client.page(1, of: Self.items) }
            #expect(error.kind == .scope)
            _ = try await client.page(1, of: ListRequest(path: "contacts"))
        }
    }

    @Test func theFilterOfModifiedRecordsIsProbed() async throws {
        try await Simulation().run { client, _, _ in
            let ofInvoices = try await client.honoursModifiedFilter(ListRequest(path: "invoices"))
            let ofItems = try await client.honoursModifiedFilter(Self.items)
            #expect(ofInvoices && !ofItems)
        }
    }

    @Test func manyItemDetailsAreReadWithinTheSimulatorsLimit() async throws {
        try await Simulation({ $0.itemDetailsLimit = 100 }).run { client, control, _ in
            let ids = Array(control.ids(.items).prefix(230)) + ["999"]
            let details = try await client.itemDetails(ids: ids)
            #expect(details.count == 230)
            #expect(control.statistics.calls == 3)
        }
    }

    @Test(.timeLimit(.minutes(30))) func zohosMinuteIsNeverOverdrawn() async throws {
        try await Simulation({ $0.limits = .paid() }).run { client, control, time in
            let began = time.now
            for number in 1...210 { _ = try await client.page(number % 7 + 1, of: Self.items) }
            #expect(control.statistics.answersByStatus == [200: 210])
            #expect(time.now.timeIntervalSince(began) < 130)
        }
    }

    @Test(.timeLimit(.minutes(30))) func aLowerLimitThanOursIsLearntFromTheRefusals() async throws {
        try await Simulation({ $0.limits.callsPerMinute = 60 }).run { client, control, time in
            for number in 1...130 { _ = try await client.page(number % 7 + 1, of: Self.items) }
            #expect(control.statistics.answersByStatus[200] == 130)
            #expect(control.statistics.answersByStatus[429] ?? 0 <= 3)
            #expect(time.sleeps.allSatisfy { $0 <= .seconds(62) })
        }
    }

    @Test func theDaysEndIsToldAndTheNextDayGoesOn() async throws {
        try await Simulation({ $0.limits.callsPerDay = 30 }).run { client, control, time in
            var made = 0
            let error = try await failure {
                while true {
                    _ = try await client.page(1, of: Self.items)
                    made += 1
                }
            }
            guard case .quota(let until) = error.kind else {
                Issue.record("not a quota: \(error)")
                return
            }
            // A tenth is left for people, and no call was refused to find out.
            #expect(made == 27)
            #expect(control.statistics.answersByStatus == [200: 27])
            _ = try await client.page(1, of: Self.items, priority: .interactive)
            time.advance(by: until.timeIntervalSince(time.now) + 1)
            _ = try await client.page(1, of: Self.items)
        }
    }
}
