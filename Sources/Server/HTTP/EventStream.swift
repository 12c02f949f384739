import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization

/// Server-sent events on their way to one client.
struct EventStream {
    fileprivate var writer: any ResponseBodyWriter

    /// Sends one event.
    ///
    /// - Parameters:
    ///   - id: after which a client continues when it has lost the connection.
    ///   - data: text without line breaks, such as JSON.
    @concurrent mutating func send(_ event: String, id: Int64? = nil, data: String) async throws {
        var text = id.map { "id: \($0)\n" } ?? ""
        text += "event: \(event)\ndata: \(data)\n\n"
        try await writer.write(ByteBuffer(string: text))
    }

    /// Sends a comment, so that nothing on the way takes the connection for dead.
    ///
    /// - Parameter id: after which the client is to continue when it reconnects.
    @concurrent mutating func keepAlive(id: Int64? = nil) async throws {
        try await writer.write(ByteBuffer(string: ": still here\n\(id.map { "id: \($0)\n" } ?? "")\n"))
    }

    /// Waits.
    ///
    /// - Returns: false where the server is stopping and the stream should end.
    @concurrent func pause(for duration: Duration) async throws -> Bool {
        let isStopping = Task.isShuttingDownGracefully
        if isStopping { return false }
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
        try Task.checkCancellation()
        return !Task.isShuttingDownGracefully
    }
}

extension Response {
    /// A response that lasts for as long as `body` sends events.
    ///
    /// - Parameter slot: freed when the response has ended, however it does.
    static func events(
        in slot: StreamLimit.Slot, _ body: @escaping @Sendable @concurrent (inout EventStream) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                defer { withExtendedLifetime(slot) {} }
                var stream = EventStream(writer: writer)
                // Clients may see the beginning only with the first bytes.
                try await stream.keepAlive()
                try await body(&stream)
                writer = stream.writer
                try await writer.finish(nil)
            })
    }
}

/// How many streams may be open at once: each keeps a connection and memory for as long as its client likes.
final class StreamLimit: Sendable {
    private let limit: Int
    private let taken = Mutex(0)

    init(limit: Int) { self.limit = limit }

    /// A slot, which is freed when nothing refers to it any more.
    final class Slot: Sendable {
        private let limit: StreamLimit

        fileprivate init(_ limit: StreamLimit) { self.limit = limit }

        deinit { limit.taken.withLock { $0 -= 1 } }
    }

    /// Takes a slot.
    ///
    /// - Throws: ``Problem`` where all are taken.
    func take() throws(Problem) -> Slot {
        let isFree = taken.withLock { taken in
            if taken >= limit { return false }
            taken += 1
            return true
        }
        guard isFree else { throw .unavailable("All \(limit) streams are in use. Try again later.") }
        return Slot(self)
    }
}
