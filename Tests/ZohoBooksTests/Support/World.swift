import AsyncHTTPClient
import Foundation
import TestSupport
import Testing

@testable import ZohoBooks

/// A client, and everything that it is put together from.
struct World: Sendable {
    let zoho: ScriptedZoho
    let http: HTTPClient
    let configuration: ZohoBooksConfiguration
    let time: ManualTime
    let log: LogRecorder
    let store: any TokenStore
    let ledger: any CallLedger
    let client: ZohoBooksClient

    static let secret = "s3cret+of/the=client"
    static let refreshToken = "1000.5a5a5a5a5a5a5a5a5a5a5a5a.6b6b6b6b6b6b6b6b6b6b6b6b"
    /// The `number`th access token that the default script issues.
    static func accessToken(_ number: Int) -> String { "1000.aaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbb\(number)" }

    /// A further client, of the same process or of another.
    func another(
        configure: (inout ZohoBooksConfiguration) -> Void = { _ in },
        sleep: (@Sendable (Duration) async throws -> Void)? = nil
    ) -> ZohoBooksClient {
        var configuration = configuration
        configure(&configuration)
        return ZohoBooksClient(
            configuration: configuration, http: http, tokens: store, calls: ledger, logger: log.logger,
            now: { [time] in time.now }, sleep: sleep ?? { [time] in try await time.sleep($0) },
            random: { 0.5 })
    }

    /// The items' first page.
    func items() async throws -> RecordPage { try await client.items() }
}

extension ZohoBooksClient {
    func items() async throws -> RecordPage { try await page(1, of: ListRequest(path: "items")) }
}

/// What a scripted Zoho does, for a client whose time stands still unless it sleeps.
struct Script {
    /// Changes the client's configuration, after the addresses were set.
    var configure: (inout ZohoBooksConfiguration) -> Void = { _ in }
    var store: any TokenStore = InMemoryTokenStore()
    var ledger: any CallLedger = InMemoryCallLedger()
    /// The answer to the request for a token of that number, from 1.
    var tokens: @Sendable (Int) async throws -> Reply = { .token(World.accessToken($0)) }
    /// The answer to the call of the API of that number, from 1.
    var calls: @Sendable (Incoming, Int) async throws -> Reply = { _, _ in .items }

    /// Plays the script as long as `body` takes.
    func run(_ body: (World) async throws -> Void) async throws {
        let (tokens, calls) = (tokens, calls)
        let zoho = ScriptedZoho { request, number in
            try await request.isForToken ? tokens(number) : calls(request, number)
        }
        try await zoho.serving { baseURL in
            var configuration = ZohoBooksConfiguration(
                clientID: "1000.CLIENT", clientSecret: Secret(World.secret), refreshToken: Secret(World.refreshToken),
                organizationID: "60099900001", dataCenter: .eu)
            configuration.accountsURL = URL(string: baseURL)
            configuration.apiURL = URL(string: baseURL)
            configure(&configuration)
            let http = HTTPClient.zohoBooks(configuration, inFlight: 20)
            let (time, log) = (ManualTime(), LogRecorder())
            let client = ZohoBooksClient(
                configuration: configuration, http: http, tokens: store, calls: ledger, logger: log.logger,
                now: { time.now }, sleep: { try await time.sleep($0) }, random: { 0.5 })
            let world = World(
                zoho: zoho, http: http, configuration: configuration, time: time, log: log, store: store,
                ledger: ledger, client: client)
            try await http.using { try await body(world) }
        }
    }
}

extension HTTPClient {
    /// Ends the client's connections after `body`.
    func using(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            try? await shutdown()
            throw error
        }
        try await shutdown()
    }
}

/// Expects a failure of the library's own kind and gives it back.
func failure(
    _ location: SourceLocation = #_sourceLocation, of body: () async throws -> Void
) async throws -> ZohoBooksError {
    var error: (any Error)?
    do { try await body() } catch let thrown { error = thrown }
    return try #require(error as? ZohoBooksError, "\(String(describing: error))", sourceLocation: location)
}
