import Foundation
import Mirror
import Sync
import TestSupport
import Testing
import Yams

@testable import Server
@testable import ZohoBooks

@Suite("What deploy/ has for Prometheus and Grafana")
struct DeployTests {
    private struct Rule {
        let expression: String
        let severity: String
    }

    private static func file(_ path: String) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: folder.appending(path: "deploy/\(path)"), encoding: .utf8)
    }

    private static func rules() throws -> [Rule] {
        let document = try #require(try Yams.load(yaml: file("prometheus/zohosync.rules.yaml")) as? [String: Any])
        let groups = try #require(document["groups"] as? [[String: Any]])
        return try groups.flatMap { try #require($0["rules"] as? [[String: Any]]) }.map { rule in
            let labels = try #require(rule["labels"] as? [String: String])
            return Rule(
                expression: try #require(rule["expr"] as? String), severity: try #require(labels["severity"]))
        }
    }

    /// What the panels and the variables of the dashboard ask for.
    private static func queries() throws -> [String] {
        let dashboard = try #require(
            try JSONSerialization.jsonObject(with: Data(file("grafana/zohosync.json").utf8)) as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        let targets = try panels.flatMap { try #require($0["targets"] as? [[String: Any]]) }
        let variables = try #require((dashboard["templating"] as? [String: Any])?["list"] as? [[String: Any]])
        return try targets.map { try #require($0["expr"] as? String) }
            + variables.compactMap { ($0["query"] as? [String: Any])?["query"] as? String }
    }

    @Test("Rules and dashboard ask for what the server tells, and the dashboard for all of it")
    func names() async throws {
        let told = try await withMirror(.sqlite) { mirror in
            _ = try await mirror.beginRun(of: "products", kind: .full, options: "{}", holder: "a")
            try await mirror.save([
                HealthRecord(
                    name: "drift", state: "ok", figure: 0, advice: "", parts: nil, checkedAt: 0, since: 0)
            ])
            let budget = BudgetSnapshot(
                calls: CallWindow(limit: 1, made: [], underWay: 0, pause: 0), details: CallWindow(), remainingToday: 1,
                dailyLimit: 1, reserve: 0, returnsAt: nil)
            let api = MetricsAPI(mirror: mirror, metrics: Metrics(), clock: ContinuousClock()) { budget }
            let lines = Metrics().text(await api.gauges()).split(separator: "\n")
            return Set(lines.filter { $0.hasPrefix("# TYPE ") }.map { String($0.split(separator: " ")[2]) })
        }
        func asked(_ expressions: [String]) -> Set<String> {
            let names = expressions.flatMap { $0.matches(of: /zohosync_[a-z_]+/).map { String($0.output) } }
            // A histogram is told under its own name, and asked for by its parts.
            return Set(names.map { $0.replacing(/_bucket$/, with: "") })
        }
        #expect(asked(try Self.rules().map(\.expression)).subtracting(told) == [])
        #expect(asked(try Self.queries()) == told)
    }

    @Test("The figures of the rules are health's own, and what a rule judges by itself it leaves out of the checks")
    func figures() throws {
        let thresholds = HealthThresholds()
        var judged: [String: Set<String>] = [:]
        var left: Set<String> = []
        for rule in try Self.rules() {
            if let match = rule.expression.firstMatch(of: /\(zohosync_([a-z_]+)\) > ([0-9]+)$/) {
                let name = String(match.output.1)
                let pair = try #require(thresholds.pairs[name])
                #expect(Double(match.output.2) == (rule.severity == "critical" ? pair.critical : pair.warning))
                judged[name, default: []].insert(rule.severity)
            }
            if let match = rule.expression.firstMatch(of: /check!~"([a-z_|]+)"/) {
                left.formUnion(match.output.1.split(separator: "|").map(String.init))
            }
        }
        #expect(left == ["inbox_depth", "inbox_age_seconds", "dead_letters"])
        #expect(Set(judged.keys) == left)
        #expect(judged.values.allSatisfy { $0 == ["warning", "critical"] })
    }
}
