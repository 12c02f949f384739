import Foundation
import Testing

@testable import ZohoSimulator

@Suite struct FaultTests {
    @Test func theSameSeedGivesTheSameFaults() {
        func faults(seed: UInt64) -> [SimulatorFault?] {
            var plan = FaultPlan(seed: seed, probabilities: [.internalError: 0.1, .badGateway: 0.1, .slowAnswer: 0.05])
            return (1...500).map { plan.fault(path: "/items", ordinal: $0) }
        }
        #expect(faults(seed: 7) == faults(seed: 7))
        #expect(faults(seed: 7) != faults(seed: 8))
        #expect((70...180).contains(faults(seed: 7).count { $0 != nil }))
    }

    @Test func scriptedFaultsHitTheNextCallsOfAPath() async throws {
        try await withClient { client, control in
            control.script(.internalError, next: 2, prefix: "/items")
            #expect(try await client.get("/contacts", "per_page=1").status == 200)
            for _ in 0..<2 {
                let answer = try await client.get("/items")
                #expect(answer.status == 500)
                #expect(answer.code == 1000)
            }
            #expect(try await client.get("/items").status == 200)
            #expect(control.statistics.faults == [.internalError: 2])
        }
    }

    @Test func spoiltBodiesAreSpoiltAsTheirNamesSay() async throws {
        try await withClient { client, control in
            control.script(.badGateway)
            let gateway = try await client.get("/items")
            #expect(gateway.status == 502 && gateway.text.hasPrefix("<html>"))
            control.script(.truncatedBody)
            let truncated = try await client.get("/items")
            #expect(truncated.status == 200 && truncated.json.isEmpty && truncated.body.count > 1_000)
            control.script(.emptyBody)
            #expect(try await client.get("/items").body.isEmpty)
            control.script(.errorInSuccess)
            let error = try await client.get("/items")
            #expect(error.status == 200 && error.code != 0)
            control.script(.unknownPath)
            let unknown = try await client.get("/items")
            #expect(unknown.status == 404 && unknown.code == 5)
            control.script(.connectionReset)
            await #expect(throws: (any Error).self) { try await client.get("/items") }
            control.script(.connectionLost)
            await #expect(throws: (any Error).self) { try await client.get("/items") }
            #expect(try await client.get("/items").status == 200)
        }
    }

    @Test func spoiltRowsAreStillAList() async throws {
        try await withClient { client, control in
            control.script(.duplicateRows)
            let ids = try await client.get("/invoices").rows("invoices").compactMap { $0["invoice_id"] as? String }
            #expect(ids.count > Set(ids).count)
            control.script(.missingModifiedTime)
            let rows = try await client.get("/creditnotes").rows("creditnotes")
            #expect(rows.contains { $0["last_modified_time"] == nil })
            #expect(rows.contains { $0["last_modified_time"] != nil })
        }
    }

    @Test func poisonedRecordsAreInListsAndDetails() async throws {
        var configuration = SimulatorConfiguration()
        configuration.poison = [
            .zeroCharacter: 2, .textForNumber: 1, .unreadableTime: 1, .hugeNumber: 1, .displayDate: 1,
        ]
        try await withClient(configuration) { client, control in
            let rows = try await client.get("/items", "filter_by=Status.All&per_page=200&page=1").text
            let pages = try await client.get("/items", "filter_by=Status.All&per_page=200&page=2").text + rows
            #expect(pages.contains(#"\u0000 met gat"#))
            let all = try await client.all(.invoices, "")
            #expect(all.count { $0["date"] as? String == "27 Dec 2016" } == 1)
            #expect(control.count(.items) == 1_312)
        }
    }
}
