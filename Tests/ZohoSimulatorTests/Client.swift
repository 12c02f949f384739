import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

@testable import ZohoSimulator

/// A plain client that shares nothing with the one under development.
struct Client {
    struct Response {
        let status: Int
        let headers: [String: String]
        let body: Data

        var json: [String: Any] { (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:] }
        var code: Int? { json["code"] as? Int }
        var text: String { String(decoding: body, as: UTF8.self) }
        var context: [String: Any] { json["page_context"] as? [String: Any] ?? [:] }
        var hasMore: Bool? { context["has_more_page"] as? Bool }

        func rows(_ key: String) -> [[String: Any]] { json[key] as? [[String: Any]] ?? [] }
        func object(_ key: String) -> [String: Any] { json[key] as? [String: Any] ?? [:] }
    }

    enum Method {
        case get
        case post
    }

    let baseURL: String
    var token: String?
    var organization: String? = "60099900001"

    func send(
        _ method: Method, _ path: String, headers: [String: String] = [:], body: String? = nil
    ) async throws -> Response {
        var request = HTTPClientRequest(url: baseURL + path)
        request.method = method == .get ? .GET : .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let buffer = try await response.body.collect(upTo: 1 << 26)
        let fields = Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
        return Response(status: Int(response.status.code), headers: fields, body: Data(buffer.readableBytesView))
    }

    /// Gets a path of the API with the token and the organisation.
    func get(_ path: String, _ query: String = "") async throws -> Response {
        let parameters = [organization.map { "organization_id=" + $0 }, query.isEmpty ? nil : query]
        let headers = token.map { ["Authorization": "Zoho-oauthtoken " + $0] } ?? [:]
        return try await send(
            .get, "/books/v3" + path + "?" + parameters.compactMap { $0 }.joined(separator: "&"), headers: headers)
    }

    func refresh(secret: String = "simulator-secret") async throws -> Response {
        try await send(
            .post,
            "/oauth/v2/token?grant_type=refresh_token&refresh_token=1000.simulator.refresh"
                + "&client_id=1000.SIMULATOR&client_secret=\(secret)")
    }

    /// All rows of a list, page by page.
    func all(_ module: SimulatorModule, _ query: String) async throws -> [[String: Any]] {
        var rows: [[String: Any]] = []
        var page = 1
        while true {
            let answer = try await get("/\(module.rawValue)", query + "&page=\(page)")
            rows += answer.rows(module.rawValue)
            guard answer.hasMore == true else { return rows }
            page += 1
        }
    }
}

/// Runs a simulator and gives a client that holds a token, unless `authorized` is false.
func withClient(
    _ configuration: SimulatorConfiguration = SimulatorConfiguration(), authorized: Bool = true,
    _ body: (Client, SimulatorControl) async throws -> Void
) async throws {
    try await ZohoSimulator.withSimulator(configuration) { simulator in
        var client = Client(baseURL: simulator.baseURL)
        if authorized { client.token = try await client.refresh().json["access_token"] as? String }
        try await body(client, simulator.control)
    }
}

/// A configuration whose clock stands still until the control moves it.
func frozen(_ change: (inout SimulatorConfiguration) -> Void = { _ in }) -> SimulatorConfiguration {
    var configuration = SimulatorConfiguration()
    configuration.now = { Date(timeIntervalSince1970: 1_772_000_000) }
    change(&configuration)
    return configuration
}
