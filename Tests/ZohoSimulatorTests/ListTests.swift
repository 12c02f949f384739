import Foundation
import Testing

@testable import ZohoSimulator

@Suite struct ListTests {
    @Test func everyRecordIsOnExactlyOnePage() async throws {
        try await withClient { client, control in
            for module in SimulatorModule.allCases {
                let rows = try await client.all(module, "filter_by=Status.All")
                let ids = rows.compactMap { $0["\(module.detailKey)_id"] as? String }
                #expect(ids.count == SimulatorConfiguration.seedOrganization[module])
                let isComplete = Set(ids) == Set(control.ids(module))
                #expect(isComplete, "\(module)")
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
            #expect(try await client.get("/items", "filter_by=Status.Nonsense").code == 2)
        }
    }

    @Test func aListOfOneStatusHasThatStatus() async throws {
        try await withClient { client, _ in
            let partly = try await client.all(.invoices, "filter_by=Status.PartiallyPaid")
            #expect(!partly.isEmpty)
            #expect(partly.allSatisfy { $0["status"] as? String == "partially_paid" })
            let vendors = try await client.get("/vendors", "filter_by=Status.All").rows("contacts")
            #expect(vendors.count == 100)
            #expect(vendors.allSatisfy { $0["contact_type"] as? String == "vendor" })
        }
    }

    @Test(arguments: ["name", "created_time", "last_modified_time"])
    func sortedListsAreInOrder(column: String) async throws {
        try await withClient { client, control in
            try control.edit(.items, at: 700, ["name": "Aaa first"])
            control.create(.items, ["name": "Plint extra"])
            let ascending = try await client.all(.items, "filter_by=Status.All&sort_column=\(column)&sort_order=A")
            let descending = try await client.all(.items, "filter_by=Status.All&sort_column=\(column)&sort_order=D")
            let keys = ascending.compactMap { ($0[column] as? String).map { Array($0.utf8) } }
            #expect(keys.count == 1_313)
            #expect(zip(keys, keys.dropFirst()).allSatisfy { !$1.lexicographicallyPrecedes($0) })
            let ids = ascending.compactMap { $0["item_id"] as? String }
            #expect(descending.compactMap { $0["item_id"] as? String } == ids.reversed())
        }
    }

    @Test func aModuleMayIgnoreWhatItIsSortedBy() async throws {
        var configuration = SimulatorConfiguration()
        configuration.ignoresSort = [.items]
        try await withClient(configuration) { client, _ in
            let plain = try await client.get("/items", "filter_by=Status.All")
            let sorted = try await client.get(
                "/items", "filter_by=Status.All&sort_column=last_modified_time&sort_order=D")
            let ids = [plain, sorted].map { $0.rows("items").compactMap { $0["item_id"] as? String } }
            #expect(ids[0].count == 200 && ids[0] == ids[1])
            #expect(sorted.context["sort_column"] as? String == "name")
            let contacts = try await client.get("/contacts", "sort_column=last_modified_time&sort_order=D")
            #expect(contacts.context["sort_column"] as? String == "last_modified_time")
        }
    }

    @Test func countsAndSumsComeWithTheListOrAlone() async throws {
        try await withClient { (client: Client, _: SimulatorControl) async throws in
            let counted = try await client.get("/contacts", "filter_by=Status.All&response_option=2")
            #expect(counted.context["total"] as? Int == 2_502)
            #expect(counted.json["contacts"] == nil)
            let listed = try await client.get("/invoices", "response_option=1")
            #expect(listed.rows("invoices").count == 125)
            #expect(listed.context["total"] as? Int == 125)
            let sums = listed.context["sum_columns"] as? [[String: Any]] ?? []
            let totals = listed.rows("invoices").compactMap { $0["total"] as? Double }.reduce(0, +)
            #expect(abs((sums.first?["sum"] as? Double ?? 0) - totals) < 0.01)
        }
        var configuration = SimulatorConfiguration()
        configuration.listTotals = .documented
        try await withClient(configuration) { (client: Client, _: SimulatorControl) async throws in
            #expect(try await client.get("/items", "response_option=2").rows("items").count == 200)
            #expect(try await client.get("/invoices", "response_option=2").context["total"] as? Int == 125)
        }
    }

    @Test(arguments: [
        "2025-01-01", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00.000%2B0100", "2025-01-01T00:00:00%2B01:00",
        "2025-01-01T00:00:00+0100", "2025-13-01T00:00:00%2B0100", "",
    ])
    func aTimeInAnyOtherFormatIsRefused(text: String) async throws {
        try await withClient { client, _ in
            for path in ["/invoices", "/contacts"] {
                let answer = try await client.get(path, "last_modified_time=\(text)")
                #expect(answer.status == 400)
                #expect(answer.code == 2)
                #expect(answer.json["message"] as? String == "Invalid value passed for last_modified_time")
            }
        }
    }

    @Test func theTimeFilterIsHonouredOrIgnoredByModule() async throws {
        try await withClient { client, control in
            let far = "last_modified_time=2099-01-01T00:00:00%2B0000"
            #expect(try await client.get("/invoices", far).rows("invoices").isEmpty)
            #expect(try await client.get("/items", far).rows("items").count == 200)
            let all = try await client.all(.invoices, "")
            let since = "2025-06-15T12:00:00+0100"
            let expected = all.filter { ($0["last_modified_time"] as? String ?? "") >= since }.count
            let query = "last_modified_time=2025-06-15T12:00:00%2B0100&sort_column=last_modified_time&sort_order=A"
            #expect(try await client.all(.invoices, query).count == expected)
            try control.edit(.invoices, at: 2, ["notes": "changed"])
            let changed = try await client.all(.invoices, query)
            #expect(changed.count == expected + 1)
            #expect(changed.last?["invoice_id"] as? String == control.id(.invoices, at: 2))
        }
    }
}
