import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle

/// Server-sent events on their way to one client.
struct EventStream {
    fileprivate var writer: any ResponseBodyWriter

    /// Sends one event.
    ///
    /// - Parameters:
    ///   - id: from which a client goes on after it lost the connection.
    ///   - data: text without line breaks, such as JSON.
    @concurrent mutating func send(_ event: String? = nil, id: Int64? = nil, data: String) async throws {
        var text = ""
        if let id { text += "id: \(id)\n" }
        if let event { text += "event: \(event)\n" }
        text += "data: \(data)\n\n"
        try await writer.write(ByteBuffer(string: text))
    }

    /// Sends nothing in particular, so that nobody on the way takes the connection for dead.
    @concurrent mutating func keepAlive() async throws {
        try await writer.write(ByteBuffer(string: ": still here\n\n"))
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
    static func events(
        _ body: @escaping @Sendable @concurrent (inout EventStream) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                var stream = EventStream(writer: writer)
                // Clients may see the beginning only with the first bytes.
                try await stream.keepAlive()
                try await body(&stream)
                writer = stream.writer
                try await writer.finish(nil)
            })
    }
}
