package import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
package import ZohoBooks

/// Posts alerts as JSON to a URL: as text for Slack and compatible services, or complete for a program.
package struct WebhookTarget: AlertTarget {
    /// How the body is written.
    package enum Format: Sendable, Hashable {
        /// `{"text": …}`.
        case slack
        /// The alert's own JSON.
        case plain
    }

    private let url: Secret
    private let format: Format
    private let http: HTTPClient
    /// Seconds that an answer may take.
    var timeout: Int64 = 20

    /// - Parameter url: a secret, because whoever knows it can post.
    package init(url: Secret, format: Format, http: HTTPClient) {
        self.url = url
        self.format = format
        self.http = http
    }

    package var name: String { format == .slack ? "slack" : "webhook" }

    package func send(_ alert: Alert) async throws {
        var request = HTTPClientRequest(url: url.revealed)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        let body =
            switch format {
            case .slack: try JSONEncoder().encode(["text": alert.text])
            case .plain: try alert.json()
            }
        request.body = .bytes(body)
        try await http.expectSuccess(of: request, within: timeout)
    }
}

/// Tells an outside monitor that all is well: a dead man's switch, which raises the alarm when pings stop.
package struct DeadMansPing: Sendable {
    private let url: Secret
    private let http: HTTPClient

    /// - Parameter url: a secret, because whoever knows it can keep the monitor silent.
    package init(url: Secret, http: HTTPClient) {
        self.url = url
        self.http = http
    }

    /// Sends one ping.
    ///
    /// - Throws: ``AlertError``, which does not repeat the URL.
    package func send() async throws {
        try await http.expectSuccess(of: HTTPClientRequest(url: url.revealed), within: 20)
    }
}

extension HTTPClient {
    fileprivate func expectSuccess(of request: HTTPClientRequest, within seconds: Int64) async throws {
        let status: UInt
        do {
            status = try await execute(request, timeout: .seconds(seconds)).status.code
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // The client's own words may hold the URL.
            throw AlertError("The URL cannot be reached (\(type(of: error))).")
        }
        guard (200..<300).contains(status) else { throw AlertError("The URL answered with \(status).") }
    }
}
