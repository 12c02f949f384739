import Foundation

/// A port of 127.0.0.1 on which nothing listens, for a server that is stopped and started again.
///
/// It is below those that the system gives to connections: of the many that a test makes while the server is down, one
/// could otherwise get this port, and the server would not start again.
package func freePort() throws -> Int {
    for _ in 0..<100 {
        let port = UInt16.random(in: 20_000..<32_000)
        if isFree(port) { return Int(port) }
    }
    throw NoFreePort()
}

private struct NoFreePort: Error, CustomStringConvertible {
    let description = "There is no free port on 127.0.0.1."
}

private func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, streamSocket, 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}

#if canImport(Glibc)
private let streamSocket = Int32(SOCK_STREAM.rawValue)
#else
private let streamSocket = SOCK_STREAM
#endif
