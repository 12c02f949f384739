import AsyncHTTPClient
import Database
import Foundation
import Logging
import Mirror
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Sync
import TestSupport
import Testing
import ZohoBooks
import ZohoSimulator

@testable import Server

/// A simulated organisation, a mirror of it, and a server on a real socket before both.
struct ServerRig: Sendable {
    let control: SimulatorControl
    let mirror: Mirror
    /// Where the server listens: scheme, host and port.
    let address: String
    let http: HTTPClient
    let client: ZohoBooksClient
    /// Counts the calls of the server.
    let serverCalls: CallCounter
    /// The environment that points the program at this organisation and this mirror.
    let environment: [String: String]
    /// Tokens of both roles.
    let readToken: String
    let operateToken: String
    private let configuration: ServerConfiguration
    /// What the server says of its answers, against which each is checked.
    private let description: Description
    /// Tells the server to shut down as SIGTERM does, and comes back when it has.
    let shutDown: @Sendable () async -> Void

    static let secret = "demoSecret2026abc"

    /// What a test may change before the server starts.
    struct Setup {
        var simulator = SimulatorConfiguration()
        var server = ServerConfiguration()
        var watch = WatchConfiguration()
        /// Where the mirror is; nil for a fresh place of the engine.
        var location: DatabaseLocation?
    }

    static func with<T: Sendable>(
        _ engine: Engine, trustsDeletions: Bool = false, _ configure: (inout Setup) -> Void = { _ in },
        _ body: @escaping @Sendable (ServerRig) async throws -> T
    ) async throws -> T {
        var setup = Setup()
        setup.simulator.counts = [
            .items: 250, .contacts: 40, .pricebooks: 2, .invoices: 10, .bills: 3, .creditnotes: 3, .salesorders: 3,
            .purchaseorders: 1, .customerpayments: 3,
        ]
        setup.server.port = 0
        // No deadline passes because the machine is busy with other tests.
        setup.server.clock = ManualClock()
        setup.server.webhookSecret = Secret(secret)
        configure(&setup)
        let (configuration, server, location) = (setup.simulator, setup.server, setup.location)
        var watched = setup.watch
        watched.organization = configuration.organizationID
        let watch = watched
        return try await ZohoSimulator.withSimulator(configuration) { simulator in
            try await withDatabase(engine, at: location) { location, database in
                let control = simulator.control
                let oauth = configuration.oauth
                let environment = [
                    "ZOHO_ACCOUNTS_URL": simulator.baseURL, "ZOHO_API_URL": simulator.baseURL,
                    "ZOHO_CLIENT_ID": oauth.clientID, "ZOHO_CLIENT_SECRET": oauth.clientSecret,
                    "ZOHO_REFRESH_TOKEN": oauth.refreshToken, "ZOHO_ORGANIZATION_ID": configuration.organizationID,
                    "ZOHOSYNC_CALLS_PER_MINUTE": "0", "ZOHOSYNC_DETAILS_PER_MINUTE": "0", "DATABASE_URL": location.text,
                ]
                let mirror = Mirror(
                    database: database, now: { Int64(control.now.timeIntervalSince1970 * 1_000_000) }, logger: .silent)
                try await mirror.prepare(organizationID: control.configuration.organizationID)
                return try await withClients(simulator, mirror) { client, http in
                    try await serve(
                        server, control, mirror, client, http, environment, watch: watch,
                        trustsDeletions: trustsDeletions, body)
                }
            }
        }
    }

    private static func withDatabase<T>(
        _ engine: Engine, at location: DatabaseLocation?,
        _ body: (DatabaseLocation, any SQLDatabase) async throws -> T
    ) async throws -> T {
        guard let location else {
            return try await withLocation(engine) { try await withDatabase(engine, at: $0, body) }
        }
        return try await TestSupport.withDatabase(at: location) { try await body(location, $0) }
    }

    private static func withClients<T>(
        _ simulator: SimulatorHandle, _ mirror: Mirror, _ body: (ZohoBooksClient, HTTPClient) async throws -> T
    ) async throws -> T {
        let oauth = simulator.control.configuration.oauth
        var configuration = ZohoBooksConfiguration(
            clientID: oauth.clientID, clientSecret: Secret(oauth.clientSecret),
            refreshToken: Secret(oauth.refreshToken),
            organizationID: simulator.control.configuration.organizationID, dataCenter: .com)
        configuration.accountsURL = URL(string: simulator.baseURL)
        configuration.apiURL = URL(string: simulator.baseURL)
        // The tests' own requests may wait for the end of a whole sync.
        configuration.idleTimeout = .seconds(120)
        var limits = BudgetLimits()
        limits.callsPerMinute = nil
        limits.detailCallsPerMinute = nil
        let http = HTTPClient.zohoBooks(configuration, inFlight: 100)
        let client = ZohoBooksClient(
            configuration: configuration, http: http, tokens: MirrorTokenStore(mirror, process: "test:1"),
            calls: MirrorCallLedger(mirror, limits: limits, holder: "test:1"), logger: .silent,
            now: { simulator.control.now },
            // Waiting moves the simulator's clock instead.
            sleep: { simulator.control.advanceClock(by: $0) })
        do {
            let value = try await body(client, http)
            try await http.shutdown()
            return value
        } catch {
            try? await http.shutdown()
            throw error
        }
    }

    /// Runs another server on the same mirror.
    func withAnotherServer<T: Sendable>(_ body: @escaping @Sendable (ServerRig) async throws -> T) async throws -> T {
        try await Self.serve(
            configuration, control, mirror, client, http, environment, process: "test:2", trustsDeletions: false, body)
    }

    private static func serve<T: Sendable>(
        _ configuration: ServerConfiguration, _ control: SimulatorControl, _ mirror: Mirror, _ client: ZohoBooksClient,
        _ http: HTTPClient, _ environment: [String: String], watch: WatchConfiguration = .init(),
        process: String = "test:1", trustsDeletions: Bool,
        _ body: @escaping @Sendable (ServerRig) async throws -> T
    ) async throws -> T {
        let calls = CallCounter()
        let server = try ZohoSyncServer(
            configuration, mirror: mirror, client: client.counted(by: calls), process: process,
            trustsDeletions: trustsDeletions, watch: watch, logger: .silent
        ) { client, options, onEvent in
            Synchroniser(client: client, mirror: mirror, options: options, process: process, onEvent: onEvent)
        }
        let tokens = [
            try await mirror.makeAPIToken(name: "looks", role: .read).secret,
            try await mirror.makeAPIToken(name: "works", role: .operate).secret,
        ]
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let services = ServiceGroup(
            services: [Running(server: server) { continuation.yield($0) }], logger: .silent)
        let (ends, end) = AsyncStream.makeStream(of: Never.self)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer {
                    continuation.finish()
                    end.finish()
                }
                try await services.run()
            }
            guard let port = await ports.first(where: { _ in true }) else {
                try await group.waitForAll()
                throw CancellationError()
            }
            let rig = ServerRig(
                control: control, mirror: mirror,
                address: "\(configuration.tls == nil ? "http" : "https")://127.0.0.1:\(port)", http: http,
                client: client, serverCalls: calls, environment: environment, readToken: tokens[0],
                operateToken: tokens[1], configuration: configuration,
                description: Description(routes: server.routes.all),
                shutDown: {
                    await services.triggerGracefulShutdown()
                    for await _ in ends {}
                })
            let value = try await body(rig)
            group.cancelAll()
            _ = await group.nextResult()
            return value
        }
    }

    private struct Running: Service {
        let server: ZohoSyncServer
        let onReady: @Sendable (Int) -> Void

        func run() async throws { try await server.run(stopsOnSignals: false) { onReady($0) } }
    }

    // MARK: - Requests

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let text: String

        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
        }
    }

    func request(
        _ method: HTTPMethod, _ path: String, token: String? = nil, headers: HTTPHeaders = [:], body: [UInt8] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: address + path)
        request.method = method
        request.headers = headers
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if !body.isEmpty { request.body = .bytes(body) }
        let response = try await http.execute(request, timeout: .seconds(120))
        let bytes = try await response.body.collect(upTo: 32 << 20)
        let answer = Answer(status: Int(response.status.code), headers: response.headers, text: String(buffer: bytes))
        for fault in description.faults(of: answer, to: method.rawValue, path) { Issue.record("\(fault)") }
        return answer
    }

    func get(_ path: String) async throws -> Answer { try await request(.GET, path, token: readToken) }

    func post(_ path: String, _ body: String = "", headers: HTTPHeaders = [:]) async throws -> Answer {
        try await request(.POST, path, token: operateToken, headers: headers, body: Array(body.utf8))
    }

    /// Follows a stream of events until what has come suffices.
    func follow(
        _ path: String, headers: HTTPHeaders = [:], until suffices: (String) async throws -> Bool
    ) async throws -> String {
        var request = HTTPClientRequest(url: address + path)
        request.headers = headers
        request.headers.add(name: "Authorization", value: "Bearer \(readToken)")
        let response = try await http.execute(request, timeout: .seconds(120))
        #expect(response.headers.first(name: "Content-Type") == "text/event-stream")
        var text = ""
        for try await chunk in response.body {
            text += String(buffer: chunk)
            if try await suffices(text) { break }
        }
        return text
    }

    /// Delivers a body as Zoho does, signed.
    func deliver(
        _ body: String, to webhook: String, query: String = "", headers: HTTPHeaders = [:], base: String = "zoho"
    ) async throws -> Answer {
        let pairs = try query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=").map(String.init)
            try #require(parts.count == 2)
            return (key: parts[0], value: parts[1])
        }
        var all = headers
        all.add(
            name: "X-Zoho-Webhook-Signature",
            value: WebhookSignature.sign(pairs: pairs, body: Array(body.utf8), secret: Self.secret, .hex))
        let path = "/api/\(base)/webhooks/\(webhook)" + (query.isEmpty ? "" : "?\(query)")
        return try await request(.POST, path, headers: all, body: Array(body.utf8))
    }

    /// A record of the simulator as a webhook carries it.
    func body(of module: SimulatorModule, _ id: String, key: String) throws -> String {
        let record = try #require(control.record(module, id: id))
        return "{\"\(key)\":\(String(decoding: record, as: UTF8.self))}"
    }

    // MARK: - What became of it

    /// Waits until a query gives what is expected.
    func expect(_ sql: String, gives expected: String?, sourceLocation: SourceLocation = #_sourceLocation) async throws
    {
        var actual: String?
        do {
            try await waitUntil(sql) {
                actual = try await value(sql)
                return actual == expected
            }
        } catch is ConditionTimeout {
            Issue.record(
                "\(sql) gives \(actual ?? "nothing"), not \(expected ?? "nothing")", sourceLocation: sourceLocation)
        }
    }

    /// The first value of a query as text.
    func value(_ sql: String) async throws -> String? {
        try await mirror.database.read { transaction in
            try transaction.query(sql).first.flatMap { row in
                row.values.isEmpty ? nil : row.text(0) ?? row.bool(0).map { $0 ? "1" : "0" }
            }
        }
    }
}

extension Logger {
    static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}

extension DatabaseLocation {
    /// As `DATABASE_URL` says it.
    fileprivate var text: String {
        switch self {
        case .sqlite(let path): "sqlite:\(path)"
        case .postgres(let url): url
        }
    }
}
