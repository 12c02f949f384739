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

/// A Zoho on loopback whose every answer the test chooses.
final class ScriptedZoho: Sendable {
    private let received = Mutex<[Incoming]>([])
    private let answer: @Sendable (Incoming, _ number: Int) async throws -> Reply

    /// - Parameter answer: what to say to a request, which is the `number`th of its kind (tokens, calls), from 1.
    init(_ answer: @escaping @Sendable (Incoming, Int) async throws -> Reply) {
        self.answer = answer
    }

    var requests: [Incoming] { received.withLock { $0 } }
    /// What the accounts server was asked for.
    var tokenRequests: [Incoming] { requests.filter(\.isForToken) }
    /// What the API was asked for.
    var calls: [Incoming] { requests.filter { !$0.isForToken } }

    /// Answers as long as `body` takes.
    func serving<Value>(_ body: (_ baseURL: String) async throws -> Value) async throws -> Value {
        try await LoopbackServer.shared.serving(
            { [self] request in
                let number = received.withLock { requests in
                    requests.append(request)
                    return requests.count { $0.isForToken == request.isForToken }
                }
                return try await answer(request, number)
            }, body)
    }
}
