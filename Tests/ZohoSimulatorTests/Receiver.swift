import Foundation
import Hummingbird
import Logging
import NIOCore
import Synchronization

@testable import ZohoSimulator

/// A server that takes webhooks, remembers them, and answers as it is told.
final class Receiver: Sendable {
    struct Call: Sendable {
        let path: String
        let query: String
        let headers: [String: String]
        let body: [UInt8]

        var json: NSDictionary {
            ((try? JSONSerialization.jsonObject(with: Data(body))) as? NSDictionary) ?? [:]
        }
        /// The record below any root key.
        func record(_ key: String) -> NSDictionary { json[key] as? NSDictionary ?? [:] }
        func text(_ root: String, _ key: String) -> String? { record(root)[key] as? String }
    }

    /// What to do with a call.
    enum Reply: Sendable {
        case status(Int)
        /// Never answers.
        case silence
        /// Closes the connection.
        case hangUp
    }

    private struct HungUp: Error {}

    private let state: Monitor<[Call]> = Monitor([])
    private let reply: @Sendable (Int) -> Reply

    private init(_ reply: @escaping @Sendable (Int) -> Reply) { self.reply = reply }

    /// All calls so far, in order of arrival.
    var calls: [Call] { state.update { $0 } }

    /// Waits until there were so many calls.
    func waitForCalls(_ count: Int) async throws -> [Call] {
        try await state.wait { $0.count >= count ? $0 : nil }
    }

    private func respond(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 4 << 20)
        let headers = Dictionary(
            request.headers.map { ($0.name.canonicalName, $0.value) }, uniquingKeysWith: { $1 })
        let call = Call(
            path: request.uri.path, query: request.uri.query ?? "", headers: headers,
            body: Array(body.readableBytesView))
        let ordinal = state.update { calls in
            calls.append(call)
            return calls.count
        }
        switch reply(ordinal) {
        case .status(let code):
            return Response(status: .init(code: code), headers: code == 302 ? [.location: "/elsewhere"] : [:])
        case .silence:
            // Ends when the server is cancelled.
            try await state.wait { _ in nil as Void? }
            throw HungUp()
        case .hangUp:
            return Response(
                status: .ok, body: ResponseBody(contentLength: 10) { _ in throw HungUp() })
        }
    }

    /// Runs a receiver as long as `body` takes.
    ///
    /// - Parameter reply: what to do with the nth call, from 1.
    static func with(
        reply: @escaping @Sendable (Int) -> Reply = { _ in .status(200) },
        _ body: (Receiver, _ baseURL: String) async throws -> Void
    ) async throws {
        let receiver = Receiver(reply)
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                try await receiver.respond(request)
            },
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) },
            logger: Logger(label: "receiver", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            guard let port = await ports.first(where: { _ in true }) else { return }
            try await body(receiver, "http://127.0.0.1:\(port)")
            group.cancelAll()
            _ = await group.nextResult()
        }
    }
}

/// Runs a simulator whose webhooks all go to a receiver, one at a time.
func withReceiver(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in },
    reply: @escaping @Sendable (Int) -> Receiver.Reply = { _ in .status(200) },
    _ body: (Receiver, SimulatorControl) async throws -> Void
) async throws {
    var configuration = frozen()
    configuration.webhooks.concurrency = 1
    configuration.webhooks.retryInterval = .zero
    change(&configuration)
    try await Receiver.with(reply: reply) { receiver, address in
        var configuration = configuration
        if configuration.webhooks.rules.isEmpty { configuration.webhooks.rules = WebhookRule.all(below: address) }
        try await ZohoSimulator.withSimulator(configuration) { simulator in
            try await body(receiver, simulator.control)
        }
    }
}
