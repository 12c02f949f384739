import AsyncHTTPClient
import Foundation
import TestSupport
import ZohoSimulator

@testable import ZohoBooks

/// The simulator and a client of it, whose time is the simulator's.
struct Simulation {
    var configure: (inout SimulatorConfiguration) -> Void
    var limits = BudgetLimits()

    init(_ configure: @escaping (inout SimulatorConfiguration) -> Void = { _ in }) {
        self.configure = configure
    }

    func run(_ body: (ZohoBooksClient, SimulatorControl, ManualTime) async throws -> Void) async throws {
        let time = ManualTime()
        var simulator = SimulatorConfiguration()
        simulator.now = { time.now }
        configure(&simulator)
        let oauth = simulator.oauth
        var configuration = ZohoBooksConfiguration(
            clientID: oauth.clientID, clientSecret: Secret(oauth.clientSecret),
            refreshToken: Secret(oauth.refreshToken), organizationID: simulator.organizationID, dataCenter: .eu)
        try await ZohoSimulator.withSimulator(simulator) { running in
            configuration.accountsURL = URL(string: running.baseURL)
            let http = HTTPClient.zohoBooks(configuration, inFlight: 20)
            let client = ZohoBooksClient(
                configuration: configuration, http: http, tokens: InMemoryTokenStore(),
                calls: InMemoryCallLedger(limits: limits), logger: LogRecorder().logger, now: { time.now },
                sleep: { try await time.sleep($0) }, random: { 0.5 })
            try await http.using { try await body(client, running.control, time) }
        }
    }
}
