import Hummingbird
import Logging
import NIOCore
import Synchronization

/// One server for all tests, as long as they run; each test has a folder of it.
///
/// To stop a server after each test would be a race: NIO ends the process over a connection that is accepted while its
/// server stops, and a client that makes many calls at once opens connections that it then has no use for.
final class LoopbackServer: HTTPResponder {
    typealias Handler = @Sendable (Incoming) async throws -> Reply

    static let shared = LoopbackServer()

    private let handlers = Mutex<[String: Handler]>([:])
    private let address = Mutex<String?>(nil)
    private let isListening = Gate()

    private init() {
        let application = Application(
            responder: self, configuration: .init(address: .hostname("127.0.0.1", port: 0), serverName: nil),
            onServerRunning: { [self] channel in
                address.withLock { $0 = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }
                isListening.open()
            },
            logger: Logger(label: "loopback", factory: { _ in SwiftLogNoOpLogHandler() }))
        Task { try await application.run() }
    }

    /// Answers below a new address as long as `body` takes.
    func serving<Value>(_ handler: @escaping Handler, _ body: (_ baseURL: String) async throws -> Value) async throws
        -> Value
    {
        await isListening.wait()
        let address = address.withLock { $0 } ?? ""
        let folder = "\(UInt64.random(in: .min ... .max))"
        handlers.withLock { $0[folder] = handler }
        defer { handlers.withLock { $0[folder] = nil } }
        return try await body("\(address)/\(folder)")
    }

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let body = try await request.body.collect(upTo: 1 << 20)
        let folder = request.uri.path.split(separator: "/").first.map(String.init) ?? ""
        guard let handler = handlers.withLock({ $0[folder] }) else { return Response(status: .gone) }
        let headers = Dictionary(
            request.headers.map { ($0.name.canonicalName, $0.value) }, uniquingKeysWith: { first, _ in first })
        let incoming = Incoming(
            path: String(request.uri.path.dropFirst(folder.count + 1)), query: request.uri.query ?? "",
            headers: headers, body: String(buffer: body))
        return try await handler(incoming).response(on: context.channel.eventLoop)
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
