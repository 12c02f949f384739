import Foundation
import TestSupport
import Testing
import ZohoSimulator

@Suite("Commands that look at the mirror")
struct LookingTests {
    private static func with(
        _ engine: Engine, syncing entities: [String] = ["products", "invoices"],
        _ body: (_ simulator: SimulatorHandle, _ environment: [String: String], _ folder: URL) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            try await withLocation(engine) { location in
                var configuration = SimulatorConfiguration.small
                configuration.limits.callsPerDay = 2_000
                try await ZohoSimulator.withSimulator(configuration) { simulator in
                    let environment = simulator.environment(["DATABASE_URL": location.url])
                    let sync = try await Program.run(["sync"] + entities, environment, folder: folder)
                    #expect(sync.status == 0, "\(sync.errors)")
                    try await body(simulator, environment, folder)
                }
            }
        }
    }

    private static func objects(_ lines: some Sequence<Substring>) throws -> [[String: Any]] {
        try lines.map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    }

    // MARK: - status

    @Test("status shows every entity and the calls that are left, and makes no call", arguments: Engine.allCases)
    func status(engine: Engine) async throws {
        try await Self.with(engine) { simulator, environment, folder in
            let calls = simulator.control.statistics.calls
            let text = try await Program.run(["status"], environment, folder: folder)
            #expect(text.status == 0, "\(text.errors)")
            let lines = text.output.split(separator: "\n")
            try #require(lines.count == 11, "\(text.output)")
            #expect(lines[1].contains(#/^products +450 +0 +0 +20.*Z +20.*Z +1 completed$/#), "\(text.output)")
            #expect(lines[2].contains(#/^customers +0 +0 +0 +- +- +-$/#), "\(text.output)")
            #expect(lines[10].contains(#/^Calls left: 1,9\d\d of 2,000 today; the daily allowance resets at 20.*Z\.$/#))

            var paced = environment
            paced["ZOHOSYNC_CALLS_PER_MINUTE"] = "100"
            let minute = try await Program.run(["status"], paced, folder: folder)
            #expect(minute.output.contains(" this minute, 1,9"), "\(minute.output)")

            let machine = try await Program.run(["status", "--json"], environment, folder: folder)
            let document = try #require(try Self.objects([machine.output[...]]).first)
            let entities = try #require(document["entities"] as? [[String: Any]])
            try #require(entities.count == 9)
            #expect(entities[0]["rows"] as? Int == 450)
            #expect((document["budget"] as? [String: Any])?["daily_limit"] as? Int == 2_000)
            #expect(simulator.control.statistics.calls == calls)
        }
    }

    // MARK: - changes

    @Test(
        "changes gives the log in order, by entity, from a number on, as lines or as JSON", arguments: Engine.allCases)
    func changes(engine: Engine) async throws {
        try await Self.with(engine) { simulator, environment, folder in
            let all = try await Program.run(["changes", "--after", "0", "--json"], environment, folder: folder)
            #expect(all.status == 0, "\(all.errors)")
            let entries = try Self.objects(all.output.split(separator: "\n"))
            let ids = entries.compactMap { $0["id"] as? Int }
            #expect(ids.count >= 460 && ids == ids.sorted())
            let first = try await Program.run(["changes", "--after", "0", "--limit", "7"], environment, folder: folder)
            let lines = first.output.split(separator: "\n")
            try #require(lines.count == 7, "\(first.errors)")
            #expect(lines[0].contains(#/^1  20.*Z  products  \d+  inserted  run 1$/#), "\(lines[0])")
            let newest = try await Program.run(["changes", "invoices", "--json"], environment, folder: folder)
            let shown = try Self.objects(newest.output.split(separator: "\n"))
            #expect(shown.count == 20)
            #expect(shown.allSatisfy { $0["entity"] as? String == "invoices" })
            let invoices = entries.filter { $0["entity"] as? String == "invoices" }.compactMap { $0["id"] as? Int }
            #expect(shown.compactMap { $0["id"] as? Int } == invoices.suffix(20))
            let none = try await Program.run(["changes", "--after", "\(ids.count)"], environment, folder: folder)
            #expect(none.status == 0 && none.output.isEmpty)

            let item = simulator.control.id(.items, at: 3)
            try simulator.control.edit(.items, id: item, ["name": "Plank, edited"])
            #expect(try await Program.run(["sync", "products"], environment, folder: folder).status == 0)
            let edited = try await Program.run(["changes", "--limit", "1"], environment, folder: folder)
            #expect(edited.output.contains("  updated  ") && edited.output.contains("name"), "\(edited.output)")
        }
    }

    @Test(
        "changes --follow sees what another process writes, and ends with 0 when it is stopped",
        arguments: Engine.allCases, [SIGINT, SIGTERM])
    func follow(engine: Engine, signal: Int32) async throws {
        try await Self.with(engine, syncing: ["products", "--no-details"]) { simulator, environment, folder in
            let program = try Program(["changes", "products", "--follow", "--limit", "1"], environment, folder: folder)
            var lines = program.outputLines.makeAsyncIterator()
            // What is there already comes first.
            #expect(await lines.next()?.contains("inserted") == true)
            let item = simulator.control.id(.items, at: 3)
            for name in ["First", "Second"] {
                try simulator.control.edit(.items, id: item, ["name": .string(name)])
                let sync = try await Program.run(["sync", "products", "--no-details"], environment, folder: folder)
                #expect(sync.status == 0, "\(sync.errors)")
                let line = await lines.next() ?? ""
                #expect(line.contains(item) && line.contains("updated") && line.contains("name"), "\(line)")
            }
            program.send(signal)
            let outcome = await program.outcome()
            #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        }
    }

    @Test("changes ends quietly when its reader has seen enough")
    func readerGone() async throws {
        try await Self.with(.sqlite, syncing: ["products", "--no-details"]) { _, environment, folder in
            for follow in ["", "--follow"] {
                let outcome = try await Program.shell(
                    "set -o pipefail; zohosync changes --after 0 --json \(follow) | head -n 1", environment,
                    folder: folder)
                #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
                #expect(outcome.output.split(separator: "\n").count == 1)
            }
        }
    }
}
