import Foundation
import Testing

@testable import ZohoSimulator

@Suite struct ListTests {
    @Test func everyRecordIsOnExactlyOnePage() async throws {
        try await withClient { client, control in
            for (module, active) in [(SimulatorModule.items, 1_312), (.contacts, 2_502)] {
                let rows = try await client.all(module, "filter_by=Status.All")
                let ids = rows.compactMap { $0["\(module.detailKey)_id"] as? String }
                #expect(ids.count == active)
                #expect(Set(ids) == Set(control.ids(module)))
                #expect(ids.allSatisfy { (16...19).contains($0.count) })
            }
        }
    }

    @Test func aPagePastTheEndIsEmpty() async throws {
        try await withClient { client, _ in
            let answer = try await client.get("/items", "page=99&per_page=500")
            #expect(answer.status == 200)
            #expect(answer.rows("items").isEmpty)
            #expect(answer.hasMore == false)
            #expect(answer.context["per_page"] as? Int == 200)
        }
    }

    @Test func inactiveRecordsAreHiddenUnlessAllAreAskedFor() async throws {
        try await withClient { client, _ in
            let active = try await client.all(.items, "")
            let inactive = try await client.all(.items, "filter_by=Status.Inactive")
            let all = try await client.all(.items, "filter_by=Status.All")
            #expect(active.allSatisfy { $0["status"] as? String == "active" })
            #expect(inactive.allSatisfy { $0["status"] as? String == "inactive" })
            #expect(active.count + inactive.count == all.count)
            #expect(inactive.count == 105)
        }
    }
}
