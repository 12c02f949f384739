import Foundation
import Testing

@testable import ZohoSimulator

@Suite struct ScaleTests {
    @Test func thePagesOfAMillionItemsCostTheSameAnywhere() async throws {
        var configuration = SimulatorConfiguration()
        configuration.counts[.items] = 1_000_000
        let before = residentPages()
        try await withClient(configuration) { client, control in
            try control.delete(.items, id: control.id(.items, at: 17))
            try control.edit(.items, at: 18, ["name": "Zzz"])
            for page in [1, 2_500, 4_999, 5_000] {
                let answer = try await client.get("/items", "filter_by=Status.All&page=\(page)")
                #expect(answer.rows("items").count == (page == 5_000 ? 199 : 200))
                #expect(answer.hasMore == (page < 5_000))
            }
            let last = try await client.get("/items", "filter_by=Status.All&page=5000").rows("items").last
            #expect(last?["name"] as? String == "Zzz")
            // Half a GB, for other tests run beside this one; a million rows would be 1.6 GB.
            #expect(residentPages() - before < 131_072)
        }
    }

    /// Any list is what a plain filter and sort of all records gives.
    @Test func aListingFindsWhatASortWouldFind() throws {
        let control = SimulatorControl(
            frozen { $0.counts = [.items: 230, .contacts: 230, .invoices: 160] })
        var draw = Draw(seed: 3, kind: 1, index: 1)
        for round in 0..<60 {
            let module: SimulatorModule = round % 2 == 0 ? .contacts : .invoices
            let id = control.id(module, at: draw.below(control.snapshot.end(module)))
            switch draw.below(5) {
            case 0: try? control.delete(module, id: id)
            case 1: try? control.edit(module, id: id, [module.nameColumn: .string("M\(draw.below(1_000))")])
            case 2: try? control.deactivate(module, id: id)
            case 3: control.create(module, [module.nameColumn: .string("B\(draw.below(1_000))")])
            default: try? control.edit(module, id: id, ["notes": "x"])
            }
            control.advanceClock(by: .seconds(61))
            let books = control.snapshot
            var filter = ListFilter()
            if draw.chance(50) {
                filter.statuses = module == .contacts ? ["active"] : ["paid"]
                let statuses = filter.statuses ?? []
                filter.mask = Mask { statuses.contains(String(describing: books.generator.status(module, $0))) }
            }
            if draw.chance(50) { filter.modifiedSince = books.generator.modified(module, draw.below(160)) }
            for order in [ListOrder.name, .created, .modified, .date] where order != .date || module == .invoices {
                let listing = Listing(books, module, filter, order)
                let found = listing.indices(offset: 0, limit: 1_000, descending: false)
                let expected = (0..<books.end(module)).filter { index in
                    books.exists(module, index)
                        && filter.statuses.map { $0.contains(books.status(module, index)) } ?? true
                        && filter.modifiedSince.map { books.modified(module, index) >= $0 } ?? true
                }
                #expect(found.count == listing.count)
                #expect(found.sorted() == expected)
                let column = [
                    .name: module.nameColumn, .created: "created_time", .modified: "last_modified_time", .date: "date",
                ][order]
                let keys = found.map { JSONObject.text(of: column ?? "", in: books.record(module, $0)) ?? "" }
                #expect(
                    zip(keys, keys.dropFirst()).allSatisfy {
                        Array($0.utf8).lexicographicallyPrecedes($1.utf8) || $0 == $1
                    })
                #expect(listing.indices(offset: 3, limit: 5, descending: false) == Array(found.dropFirst(3).prefix(5)))
                #expect(
                    listing.indices(offset: 3, limit: 5, descending: true)
                        == Array(found.reversed().dropFirst(3).prefix(5)))
            }
        }
    }

    /// The resident memory of this process in pages of 4 kB.
    private func residentPages() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }
}
