import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes
import ServiceLifecycle
import Synchronization

/// Reads the bodies of requests, within a bound for each and one for all together, so that nobody can fill the memory.
final class BodyReader: Sendable {
    private struct State {
        /// Of all bodies that are being read.
        var bytes = 0
        /// Seconds for which this reader has run.
        var seconds = 0
        /// What is being read: since which second, and how it is stopped.
        var readings: [Int: (since: Int, stop: @Sendable () -> Void)] = [:]
        var last = 0
    }

    private let clock: any Clock<Duration>
    /// Bytes of all bodies that may be read at the same time.
    private let capacity: Int
    private let state = Mutex(State())

    /// Seconds that a whole body may take; Zoho itself gives up after the same time.
    private static let timeout = 10

    init(capacity: Int, clock: any Clock<Duration>) {
        self.capacity = capacity
        self.clock = clock
    }

    /// Stops what takes too long, until the program shuts down; one check a second for all is cheaper than a timer for
    /// each.
    func run() async {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await self.clock.sleep(for: .seconds(1))
                let late = self.state.withLock { state in
                    state.seconds += 1
                    return state.readings.values.filter { $0.since <= state.seconds - Self.timeout }.map { $0.stop }
                }
                for stop in late { stop() }
            }
        }
    }

    /// The body of a request, which must arrive completely.
    ///
    /// The framework takes the end of the connection or of the task for the end of the body, so its length is checked.
    ///
    /// - Parameter limit: bytes.
    /// - Throws: ``Problem`` where it is longer, breaks off or takes too long, or where too much is being read already;
    ///   `CancellationError` where the server did not wait for it.
    func body(of request: Request, _ context: ServerContext, upTo limit: Int) async throws -> [UInt8] {
        let length = request.headers[.contentLength].flatMap { Int($0) }
        if let length, length > limit { throw Self.tooLarge(limit) }
        if request.headers[.expect]?.lowercased() == "100-continue" {
            try await context.channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)))
        }
        // A task, so that `run()` can stop it.
        let work = Task { try await self.collect(request.body, length, upTo: limit) }
        let stop: @Sendable () -> Void = { work.cancel() }
        let number = state.withLock { state in
            state.last += 1
            state.readings[state.last] = (since: state.seconds, stop: stop)
            return state.last
        }
        defer { state.withLock { $0.readings[number] = nil } }
        do {
            return try await withTaskCancellationHandler {
                try await work.value
            } onCancel: {
                work.cancel()
            }
        } catch is CancellationError where !Task.isCancelled {
            throw Problem(.requestTimeout, "The body did not arrive within \(Self.timeout) seconds.")
        }
    }

    private func collect(_ body: RequestBody, _ length: Int?, upTo limit: Int) async throws -> [UInt8] {
        var read: [UInt8] = []
        defer { state.withLock { $0.bytes -= read.count } }
        do {
            for try await chunk in body {
                guard read.count + chunk.readableBytes <= limit else { throw Self.tooLarge(limit) }
                let isTaken = state.withLock { state in
                    guard state.bytes + chunk.readableBytes <= capacity else { return false }
                    state.bytes += chunk.readableBytes
                    return true
                }
                guard isTaken else {
                    throw Problem.unavailable("Too much data is being received at once. Try again later.")
                }
                read += chunk.readableBytesView
            }
        } catch let problem as Problem {
            throw problem
        } catch  where !Task.isCancelled {
            throw Problem(.badRequest, "The body ended early.")
        }
        try Task.checkCancellation()
        if let length, read.count < length {
            throw Problem(.badRequest, "The body ended after \(read.count) of \(length) bytes.")
        }
        return read
    }

    private static func tooLarge(_ limit: Int) -> Problem {
        Problem(.contentTooLarge, "The body is larger than \(limit) bytes.")
    }
}
