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
    }

    /// The address of the caller, or of the proxy before it.
    var caller: String { remoteAddress?.ipAddress ?? "-" }
}
