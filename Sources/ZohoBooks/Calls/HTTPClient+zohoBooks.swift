public import AsyncHTTPClient
import NIOCore
import NIOHTTPCompression

extension HTTPClient {
    /// An HTTP client that suits Zoho Books: bounded in time, in connections and in what a compressed body may grow to,
    /// and following no redirect, because the token would go with it.
    ///
    /// - Parameters:
    ///   - configuration: where the time limits are taken from.
    ///   - inFlight: connections to one host; calls beyond it wait.
    public static func zohoBooks(_ configuration: ZohoBooksConfiguration, inFlight: Int) -> HTTPClient {
        var settings = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: TimeAmount(configuration.connectTimeout), read: TimeAmount(configuration.idleTimeout)),
            connectionPool: .init(
                idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: inFlight))
        // Repeating is the client's own business; a refused connection is known at once.
        settings.connectionPool.retryConnectionEstablishment = false
        settings.decompression = .enabled(limit: .size(Transport.maximumBody))
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }
}
