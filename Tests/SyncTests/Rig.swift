import AsyncHTTPClient
import Catalog
import Database
import Foundation
import Logging
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

/// A simulated organisation, a mirror, and what synchronises them; time is the simulator's and waiting moves it.
struct Rig: Sendable {
    let control: SimulatorControl
    let address: String
    let mirror: Mirror
    let limits: BudgetLimits

    /// A small organisation of every kind of record; answers without limits, latency or faults.
    static func with<T>(
        _ engine: Engine, limits: BudgetLimits? = nil, _ configure: (inout SimulatorConfiguration) -> Void = { _ in },
        _ body: (Rig) async throws -> T
    ) async throws -> T {
        var configuration = SimulatorConfiguration()
        configuration.counts = [
            .items: 450, .contacts: 250, .pricebooks: 4, .invoices: 30, .bills: 10, .creditnotes: 6, .salesorders: 12,
            .purchaseorders: 5, .customerpayments: 9,
        ]
        configure(&configuration)
        return try await ZohoSimulator.withSimulator(configuration) { simulator in
            try await withDatabase(engine) { database in
                let control = simulator.control
                let mirror = Mirror(
                    database: database, now: { Int64(control.now.timeIntervalSince1970 * 1_000_000) },
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                try await mirror.prepare(organizationID: configuration.organizationID)
                var unlimited = BudgetLimits()
                unlimited.callsPerMinute = nil
                unlimited.detailCallsPerMinute = nil
                return try await body(
                    Rig(
                        control: control, address: simulator.baseURL, mirror: mirror, limits: limits ?? unlimited))
            }
        }
    }

    /// Runs one sync as one process would.
    @discardableResult
    func sync(
        _ entities: [String] = [], process: String = "test:1", inFlight: Int? = nil,
        _ change: (inout SyncOptions) -> Void = { _ in },
        onEvent: @escaping @Sendable (SyncEvent) async -> Void = { _ in }
    ) async throws -> SyncReport {
        let report = try await report(entities, process: process, inFlight: inFlight, change, onEvent: onEvent)
        if let failure = report.failure { throw failure }
        return report
    }

    /// Runs one sync as one process would, and tells of it also where it could not go on.
    func report(
        _ entities: [String] = [], process: String = "test:1", inFlight: Int? = nil,
        _ change: (inout SyncOptions) -> Void = { _ in },
        onEvent: @escaping @Sendable (SyncEvent) async -> Void = { _ in }
    ) async throws -> SyncReport {
        var options = SyncOptions()
        options.entities = entities
        change(&options)
        return try await withClient(process: process, inFlight: inFlight) { client in
            try await Synchroniser(
                client: client, mirror: mirror, options: options, process: process, onEvent: onEvent
            ).report()
        }
    }

    /// Runs one sync whose pages or details come one after the other, and cancels it after so many of them.
    ///
    /// - Parameter meanwhile: what happens before it is cancelled.
    func interrupted(
        _ entities: [String], after count: Int, in phase: SyncEvent.Phase = .list,
        _ change: @escaping @Sendable (inout SyncOptions) -> Void = { _ in },
        meanwhile: @Sendable () throws -> Void = {}
    ) async throws -> SyncReport {
        let seen = Mutex(0)
        let (reached, continuation) = AsyncStream<Void>.makeStream()
        let sync = Task {
            defer { continuation.finish() }
            return try await report(entities, inFlight: 1, change) { event in
                let isReached =
                    event.phase == phase
                    && seen.withLock { seen in
                        seen += 1
                        return seen == count
                    }
                guard isReached else { return }
                continuation.yield()
                while !Task.isCancelled { await Task.yield() }
            }
        }
        for await _ in reached { break }
        try meanwhile()
        sync.cancel()
        return try await sync.value
    }

    /// Runs work with a client of its own, as one process has it.
    ///
    /// - Parameters:
    ///   - inFlight: calls at once, where that is not what the limits say.
    ///   - ledger: keeps the budget in place of the mirror.
    func withClient<T>(
        process: String = "test:1", organizationID: String? = nil, inFlight: Int? = nil,
        ledger: (any CallLedger)? = nil, _ body: (ZohoBooksClient) async throws -> T
    ) async throws -> T {
        var limits = limits
        if let inFlight { limits.inFlight = inFlight }
        let oauth = control.configuration.oauth
        var configuration = ZohoBooksConfiguration(
            clientID: oauth.clientID, clientSecret: Secret(oauth.clientSecret),
            refreshToken: Secret(oauth.refreshToken),
            organizationID: organizationID ?? control.configuration.organizationID, dataCenter: .com)
        configuration.accountsURL = URL(string: address)
        configuration.apiURL = URL(string: address)
        let http = HTTPClient.zohoBooks(configuration, inFlight: 10)
        let time = SimulatedTime(control)
        let client = ZohoBooksClient(
            configuration: configuration, http: http, tokens: MirrorTokenStore(mirror, process: process),
            calls: ledger ?? MirrorCallLedger(mirror, limits: limits, holder: process),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), now: { time.now() },
            sleep: { await time.sleep(for: $0) }, random: { 0.5 })
        do {
            let value = try await body(client)
            try await http.shutdown()
            return value
        } catch {
            try? await http.shutdown()
            throw error
        }
    }

    /// Stores a product as a webhook brings it.
    func deliverProduct(at index: Int) async throws {
        let id = control.id(.items, at: index)
        let record = try #require(control.record(.items, id: id))
        _ = try await mirror.store([
            NewDelivery(
                entity: "products", content: .readable(.record, zohoID: id, record: RawJSON(record[...])),
                receivedAt: mirror.now(), requestID: nil)
        ])
    }

    /// How many calls `body` costs.
    func calls(_ body: () async throws -> Void) async rethrows -> Int {
        let before = control.statistics.calls
        try await body()
        return control.statistics.calls - before
    }

    /// Every value of a query as text, row by row.
    func rows(_ sql: String) async throws -> [[String?]] {
        try await mirror.database.read { transaction in
            try transaction.query(sql).map { row in row.values.map { $0.plain } }
        }
    }

    /// The first value of the first row as text.
    func value(_ sql: String) async throws -> String? { try await rows(sql).first?.first ?? nil }

    /// A record as the simulator answers it, read by Foundation and not by the code under test.
    func record(_ module: SimulatorModule, _ id: String) throws -> [String: Any] {
        let bytes = try #require(control.record(module, id: id))
        return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    /// Expects that the mirror holds exactly the records of a module, whole.
    func expectCopy(
        of module: SimulatorModule, in table: String, key: String, hash columns: [String: String],
        where condition: String = "true", _ belongs: ([String: Any]) -> Bool = { _ in true }
    ) async throws {
        var expected: [String: [String: String]] = [:]
        for id in control.ids(module) {
            let record = try record(module, id)
            guard belongs(record) else { continue }
            expected[id] = columns.mapValues { Self.text(record[$0]) }
        }
        let names = columns.keys.sorted()
        var actual: [String: [String: String]] = [:]
        for row in try await rows(
            "select \(key), \(names.joined(separator: ", ")) from \(table) where deleted_at is null and \(condition)")
        {
            let values = zip(names, row.dropFirst()).map { ($0, $1 ?? "") }
            actual[row[0] ?? ""] = Dictionary(uniqueKeysWithValues: values)
        }
        let missing = Set(expected.keys).subtracting(actual.keys)
        let surplus = Set(actual.keys).subtracting(expected.keys)
        #expect(missing.isEmpty && surplus.isEmpty, "\(table): \(missing.count) missing, \(surplus.count) too many")
        let different = expected.keys.filter { actual[$0] != nil && actual[$0] != expected[$0] }.sorted()
        #expect(
            different.isEmpty,
            "\(table): \(different.count) differ, such as \(different.first.map { "\(actual[$0] ?? [:]) for \(expected[$0] ?? [:])" } ?? "")"
        )
    }

    /// A JSON value as the mirror's columns show it.
    private static func text(_ value: Any?) -> String {
        switch value {
        case let text as String: text
        case let number as NSNumber: number.digits
        default: ""
        }
    }
}

extension SyncReport {
    /// The first run, which is there if anything is.
    var firstRun: Run {
        get throws { try #require(runs.first) }
    }
}

/// The simulator's clock, which waiting moves: to where the one who waits wants it, and no further.
private final class SimulatedTime: Sendable {
    private let control: SimulatorControl
    /// When each task looked at the clock last, which is when it decided how long to wait.
    private let looks = Mutex<[Int: Date]>([:])

    init(_ control: SimulatorControl) { self.control = control }

    func now() -> Date {
        let now = control.now
        looks.withLock { $0[Self.task] = now }
        return now
    }

    func sleep(for duration: Duration) async {
        let start = looks.withLock { $0[Self.task] } ?? control.now
        let rest = duration.seconds - control.now.timeIntervalSince(start)
        if rest > 0 { control.advanceClock(by: .seconds(rest)) }
        await Task.yield()
    }

    private static var task: Int { withUnsafeCurrentTask { $0?.hashValue ?? 0 } }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

extension NSNumber {
    /// The shortest digits of the number, without a fraction where there is none.
    var digits: String {
        let text = "\(doubleValue)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

extension SQLValue {
    fileprivate var plain: String? {
        switch self {
        case .null: nil
        case .integer(let number): String(number)
        case .text(let text), .decimal(let text), .date(let text): text
        case .boolean(let flag): flag ? "1" : "0"
        case .instant(let instant): Timestamp.text(instant)
        case .json(let bytes): String(decoding: bytes, as: UTF8.self)
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .texts, .integers: nil
        }
    }
}
