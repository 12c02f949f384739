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
    ///   - id: from which a client goes on after it lost the connection.
    ///   - data: text without line breaks, such as JSON.
    @concurrent mutating func send(_ event: String, id: Int64? = nil, data: String) async throws {
        var text = id.map { "id: \($0)\n" } ?? ""
        text += "event: \(event)\ndata: \(data)\n\n"
        try await writer.write(ByteBuffer(string: text))
    }

    /// Sends nothing in particular, so that nobody on the way takes the connection for dead.
    ///
    /// - Parameter id: what the client is to go on after when it connects again.
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
    /// An answer that goes on for as long as `body` sends events.
    ///
    /// - Parameter slot: freed when the answer has ended, however it does.
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

/// How many streams may go on at once: each keeps a connection and memory for as long as its client likes.
final class StreamLimit: Sendable {
    private let limit: Int
    private let taken = Mutex(0)

    init(limit: Int) { self.limit = limit }

    /// A place that is free again when nobody holds it any more.
    final class Slot: Sendable {
        private let limit: StreamLimit

        fileprivate init(_ limit: StreamLimit) { self.limit = limit }

        deinit { limit.taken.withLock { $0 -= 1 } }
    }

    /// Takes a place.
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
