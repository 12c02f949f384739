import Hummingbird
package import Logging

/// A stand-in for Zoho Books' API and its OAuth endpoint, for development, demonstrations, tests and benchmarks.
///
/// It answers under `/books/v3` and `/oauth/v2` as section 11.2 of the reference describes, and under `/_simulator`
/// lets a person change the organisation. Changes fire webhooks as section 8 has them, and the simulator can make traffic
/// of its own. Any number of records costs no memory: each is generated when asked for.
///
/// Lists can be sorted by the module's name or number, `created_time`, `last_modified_time` and, for documents, `date`;
/// any other `sort_column` is ignored. Untouched records stand in order of their index in each of these; an edited one
/// moves if the edit changed the key, and later rows shift when one goes. Texts compare byte by byte. Without a
/// `sort_column` items, contacts and price lists are sorted by name, all others newest first.
package final class ZohoSimulator: Sendable {
    /// Changes the organisation and tells the truth about it.
    package let control: SimulatorControl

    private let configuration: SimulatorConfiguration
    private let logger: Logger

    /// A simulator that listens once it runs.
    package init(
        _ configuration: SimulatorConfiguration = SimulatorConfiguration(),
        logger: Logger = Logger(label: "zoho-simulator", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.configuration = configuration
        self.logger = logger
        control = SimulatorControl(configuration)
    }

    /// Serves, sends webhooks and makes traffic until cancelled or gracefully shut down.
    ///
    /// - Parameter onReady: called once with the address, such as `http://127.0.0.1:8080`, when calls are accepted.
    /// - Throws: what prevents listening.
    package func run(onReady: @escaping @Sendable (_ baseURL: String) async -> Void = { _ in }) async throws {
        let control = control
        let host = configuration.host
        let application = Application(
            responder: SimulatorResponder(control: control),
            configuration: .init(address: .hostname(host, port: configuration.port), serverName: nil),
            onServerRunning: { channel in
                control.baseURL = "http://\(host):\(channel.localAddress?.port ?? 0)"
                await onReady(control.baseURL)
            },
            logger: logger)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await control.sender.run() }
                group.addTask { try await control.runTraffic() }
                try await application.run()
                group.cancelAll()
            }
        } catch is CancellationError {
            return
        }
    }
}

/// A simulator that runs.
package struct SimulatorHandle: Sendable {
    /// The address of both the API and the OAuth endpoint, without a path.
    package let baseURL: String
    /// Changes the organisation and tells the truth about it.
    package let control: SimulatorControl
}

extension ZohoSimulator {
    /// Runs a simulator as long as `body` takes.
    package static func withSimulator<Value>(
        _ configuration: SimulatorConfiguration = SimulatorConfiguration(),
        _ body: (SimulatorHandle) async throws -> Value
    ) async throws -> Value {
        let simulator = ZohoSimulator(configuration)
        let (addresses, continuation) = AsyncStream.makeStream(of: String.self)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await simulator.run { continuation.yield($0) }
            }
            guard let baseURL = await addresses.first(where: { _ in true }) else {
                try await group.waitForAll()
                throw CancellationError()
            }
            let value = try await body(SimulatorHandle(baseURL: baseURL, control: simulator.control))
            group.cancelAll()
            _ = await group.nextResult()
            return value
        }
    }
}
