import Foundation
import HTTPTypes
import Hummingbird
import Mirror
import NIOCore

/// What is known of a request beside the request itself.
struct ServerContext: RequestContext, RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?
    /// The connection on which the request came.
    let channel: any Channel
    /// The id under which the request is found in the log, the inbox and the dead letters.
    var requestID = ""
    /// The token that the request came with; nil where it needs none.
    var token: APIToken?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        remoteAddress = source.channel.remoteAddress
        caller = remoteAddress?.ipAddress ?? "-"
    }

    /// The address of the caller; behind a proxy that is trusted, the one that the proxy names.
    private(set) var caller: String

    /// Determines the caller from what proxies have added to `X-Forwarded-For`.
    ///
    /// Each proxy appends the address that called it, so only what a trusted proxy has appended counts; the rest came
    /// with the request.
    mutating func follow(_ forwarded: String?, trusting proxies: [AddressRange]) {
        var hops = (forwarded ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        while let hop = hops.popLast(), proxies.contains(where: { $0.contains(caller) }) {
            caller = String(hop.prefix(64))
        }
    }
}
