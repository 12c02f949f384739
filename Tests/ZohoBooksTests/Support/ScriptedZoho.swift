import Hummingbird
import Logging
import NIOCore
import Synchronization

/// A request as the server saw it.
struct Incoming: Sendable {
    let path: String
    let query: String
    /// By their names in small letters.
    let headers: [String: String]
    let body: String

    var isForToken: Bool { path.hasPrefix("/oauth/") }
    /// The access token that it carries.
    var token: String? { headers["authorization"].map { String($0.dropFirst("Zoho-oauthtoken ".count)) } }
}

/// A server on loopback whose every answer the test chooses.
final class ScriptedZoho: HTTPResponder {
    typealias Context = ConnectionContext

    private struct State {
        var baseURL = ""
        var requests: [Incoming] = []
    }

    private let state = Mutex(State())
    private let answer: @Sendable (Incoming, _ number: Int) async throws -> Reply

    /// - Parameter answer: what to say to a request, which is the `number`th of its kind (tokens, calls), from 1.
    init(_ answer: @escaping @Sendable (Incoming, Int) async throws -> Reply) {
        self.answer = answer
    }

    var baseURL: String { state.withLock { $0.baseURL } }
    var requests: [Incoming] { state.withLock { $0.requests } }
    /// What the accounts server was asked for.
    var tokenRequests: [Incoming] { requests.filter(\.isForToken) }
    /// What the API was asked for.
    var calls: [Incoming] { requests.filter { !$0.isForToken } }

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let body = try await request.body.collect(upTo: 1 << 20)
        let headers = Dictionary(
            request.headers.map { ($0.name.canonicalName, $0.value) }, uniquingKeysWith: { first, _ in first })
        let incoming = Incoming(
            path: request.uri.path, query: request.uri.query ?? "", headers: headers,
            body: String(buffer: body))
        let number = state.withLock { state in
            state.requests.append(incoming)
            return state.requests.count { $0.isForToken == incoming.isForToken }
        }
        return try await answer(incoming, number).response(on: context.channel.eventLoop)
    }

    /// Serves as long as `body` takes, whose clients have closed their connections at its end.
    func serving<Value>(_ body: () async throws -> Value) async throws -> Value {
        let (listeners, continuation) = AsyncStream.makeStream(of: (any Channel).self)
        let application = Application(
            responder: self, configuration: .init(address: .hostname("127.0.0.1", port: 0), serverName: nil),
            onServerRunning: { continuation.yield($0) },
            logger: Logger(label: "scripted", factory: { _ in SwiftLogNoOpLogHandler() }))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await application.run()
            }
            guard let listener = await listeners.first(where: { _ in true }) else { throw CancellationError() }
            state.withLock { $0.baseURL = "http://127.0.0.1:\(listener.localAddress?.port ?? 0)" }
            let value = try await body()
            // Not by cancellation, which would abandon a connection that was accepted just now.
            try await listener.close()
            _ = await group.nextResult()
            return value
        }
    }
}

struct ConnectionContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}
