import Foundation
import HTTPTypes
import Hummingbird
import Mirror
import NIOCore

/// What is known of a request beside the request itself.
struct ServerContext: RequestContext, RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?
    /// The id under which the request is found in the log, the inbox and the dead letters.
    var requestID = ""
    /// The token that the request came with; nil where it needs none.
    var token: APIToken?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        remoteAddress = source.channel.remoteAddress
        caller = remoteAddress?.ipAddress ?? "-"
    }

    /// The address of the caller; behind a proxy on this machine, the one that the proxy names.
    ///
    /// Only the last address of `X-Forwarded-For` is the proxy's own word; what stands before it came with the request.
    private(set) var caller: String

    /// Reads who calls from what a proxy has added.
    mutating func follow(_ forwarded: String?) {
        guard caller == "127.0.0.1" || caller == "::1", let forwarded,
            let last = forwarded.split(separator: ",").last
        else { return }
        caller = last.trimmingCharacters(in: .whitespaces)
    }
}

extension HTTPField.Name {
    static let forwardedFor = HTTPField.Name("X-Forwarded-For") ?? .authorization
}
