public import AsyncHTTPClient
public import Foundation
public import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// A client for Zoho Books v3 that gives raw records.
///
/// One token and one budget serve every call, of this process and of all that share the token store and the ledger.
/// Calls that fail for a passing reason are made again; what is thrown is final.
public struct ZohoBooksClient: Sendable {
    let configuration: ZohoBooksConfiguration
    let transport: Transport
    let tokens: AccessTokens
    let calls: any CallLedger
    let environment: ClientEnvironment
    let redaction: Redaction
    let places = Places()
    let clock = ServerClock()
    var counter: CallCounter?
    var observer: (@Sendable (CallOutcome) -> Void)?
    var waitObserver: (@Sendable (Duration) async -> Void)?
    var waitsForDetails = true
    private let withoutTotal = PathSet()

    /// Zoho's page size (reference, section 4).
    public static let pageSize = 200
    /// The number of items that one `itemdetails` call asks for.
    public var itemDetailsSize: Int { configuration.itemDetailsSize }

    /// Puts a client together.
    ///
    /// Time and chance are parameters, so that tests decide about them.
    ///
    /// - Parameter http: one that follows no redirect, such as ``AsyncHTTPClient/HTTPClient/zohoBooks(_:inFlight:)``
    ///   gives.
    public init(
        configuration: ZohoBooksConfiguration, http: HTTPClient, tokens: any TokenStore, calls: any CallLedger,
        logger: Logger, now: @escaping @Sendable () -> Date = { Date() },
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.calls = calls
        environment = ClientEnvironment(now: now, sleep: sleep, random: random, logger: logger)
        redaction = Redaction(configuration)
        transport = Transport(http: http)
        self.tokens = AccessTokens(configuration, store: tokens, transport: transport, environment: environment)
    }

    // MARK: - Reading

    /// Reads one page of a list: one call for up to 200 records.
    public func page(
        _ number: Int, of request: ListRequest, priority: CallPriority = .background
    ) async throws -> RecordPage {
        let asksTotal = request.wantsTotal && !withoutTotal.contains(request.path)
        do {
            return try await page(number, of: request, asksTotal: asksTotal, priority)
        } catch let error as ZohoBooksError where asksTotal && error.kind == .badRequest {
            // The parameter is documented for invoices alone; a module that refuses it is asked without it.
            let page = try await page(number, of: request, asksTotal: false, priority)
            withoutTotal.insert(request.path)
            return page
        }
    }

    private func page(
        _ number: Int, of request: ListRequest, asksTotal: Bool, _ priority: CallPriority
    ) async throws -> RecordPage {
        var query = [("page", String(number)), ("per_page", String(Self.pageSize))]
        if let filter = request.filter { query.append(("filter_by", filter)) }
        if let column = request.sortColumn {
            query += [("sort_column", column), ("sort_order", request.isAscending ? "A" : "D")]
        }
        if let time = request.modifiedSince { query.append(("last_modified_time", Self.timestamp(time))) }
        if asksTotal { query.append(("response_option", "1")) }
        let call = Call(path: request.path, query: query, key: request.listKey, kind: .list, priority: priority)
        let (envelope, observedAt) = try await perform(call)
        return RecordPage(
            number: number, records: envelope.records ?? [], hasMore: envelope.hasMore, total: envelope.total,
            sortColumn: envelope.sortColumn, observedAt: observedAt)
    }

    /// Reads one complete record: one call.
    ///
    /// - Returns: the record, or nil where Zoho says that it does not exist.
    public func record(
        _ path: String, id: String, detailKey: String, priority: CallPriority = .background
    ) async throws -> DetailRecord? {
        let call = Call(
            path: "\(path)/\(id.percentEncoded)", query: [], key: detailKey, kind: .detail, priority: priority)
        do {
            let (envelope, observedAt) = try await perform(call)
            return envelope.record.map { DetailRecord(json: $0, observedAt: observedAt) }
        } catch let error as ZohoBooksError where error.kind == .notFound {
            return nil
        }
    }

    /// Reads complete items: one call for each ``itemDetailsSize`` of them.
    ///
    /// Unknown ids are left out of the answer.
    public func itemDetails(ids: [String], priority: CallPriority = .background) async throws -> [DetailRecord] {
        var details: [DetailRecord] = []
        for start in stride(from: 0, to: ids.count, by: itemDetailsSize) {
            let chunk = ids[start..<min(start + itemDetailsSize, ids.count)]
            let call = Call(
                path: "itemdetails", query: [("item_ids", chunk.joined(separator: ","))], key: "items", kind: .list,
                priority: priority)
            let (envelope, observedAt) = try await perform(call)
            details += (envelope.records ?? []).map { DetailRecord(json: $0, observedAt: observedAt) }
        }
        return details
    }

    /// Whether a list honours `last_modified_time`: it is empty for a time that nothing can have been modified at.
    public func honoursModifiedFilter(_ request: ListRequest) async throws -> Bool {
        var probe = request
        probe.modifiedSince = environment.now().addingTimeInterval(10 * 365 * 86_400)
        probe.sortColumn = nil
        probe.wantsTotal = false
        do {
            return try await page(1, of: probe).records.isEmpty
        } catch let error as ZohoBooksError where error.kind == .badRequest {
            return false
        }
    }

    /// Makes sure that there is an access token; costs no call of the budget, and none at all while one is valid.
    ///
    /// - Parameter renewing: whether a new one is asked for in any case, which shows that the refresh token is accepted;
    ///   Zoho gives ten in ten minutes.
    /// - Throws: ``ZohoBooksError`` where the accounts server gives none.
    public func checkAccess(renewing: Bool = false) async throws {
        do {
            _ = renewing ? try await tokens.renewed() : try await tokens.token()
        } catch is CancellationError {
            throw ZohoBooksError.cancelled
        }
    }

    /// When the access token at rest lapses; nil where there is none.
    public func accessExpiresAt() async throws -> Date? { try await tokens.expiresAt() }

    /// Seconds by which this machine's clock is ahead of Zoho's, as the last answer said; nil before the first.
    public var clockSkew: Double? { clock.skew }

    /// Calls that are made at once; Zoho allows 5 to 10 (reference, section 2.1).
    public var inFlight: Int { calls.limits.inFlight }

    /// What is left of the budget.
    public func budget() async throws -> BudgetSnapshot {
        try await calls.snapshot(at: environment.now())
    }

    /// `yyyy-MM-ddTHH:mm:ss+0000`, the one spelling that every module takes (reference, section 5.3).
    static func timestamp(_ time: Date) -> String {
        let style = Date.ISO8601FormatStyle(timeZone: .gmt)
        return time.formatted(style).replacingOccurrences(of: "Z", with: "+0000")
    }
}

/// The paths that refused a parameter, remembered for the client's life.
private final class PathSet: Sendable {
    private let paths = Mutex<Set<String>>([])

    func contains(_ path: String) -> Bool { paths.withLock { $0.contains(path) } }
    func insert(_ path: String) { paths.withLock { _ = $0.insert(path) } }
}

/// What the servers' `Date` headers say of this machine's clock.
final class ServerClock: Sendable {
    private let seconds = Mutex<Double?>(nil)

    /// Seconds by which this machine is ahead.
    var skew: Double? { seconds.withLock { $0 } }

    func note(_ header: String?, at now: Date) {
        guard let date = header.flatMap({ RetryAfter.date($0) }) else { return }
        seconds.withLock { $0 = now.timeIntervalSince(date) }
    }
}
