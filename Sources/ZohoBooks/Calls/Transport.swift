import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Sends requests, and turns everything that can happen to them into a value.
struct Transport: Sendable {
    let http: HTTPClient
    let timeout: Duration

    /// No answer of Zoho's comes near it; a stray download must not fill the memory.
    static let maximumBody = 64 << 20

    enum Result: Sendable {
        case answer(Answer)
        case failure(CallFailure)
    }

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: [UInt8]
    }

    func get(_ url: String, headers: HTTPHeaders) async throws -> Result {
        var request = HTTPClientRequest(url: url)
        request.headers = headers
        return try await send(request)
    }

    func post(form: [(String, String)], to url: String) async throws -> Result {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
        let body = form.map { "\($0.percentEncoded)=\($1.percentEncoded)" }.joined(separator: "&")
        request.body = .bytes(ByteBuffer(string: body))
        return try await send(request)
    }

    private func send(_ request: HTTPClientRequest) async throws -> Result {
        do {
            let response = try await http.execute(
                request, timeout: .nanoseconds(Int64(timeout.components.seconds) * 1_000_000_000))
            var buffer = try await response.body.collect(upTo: Self.maximumBody)
            let body = buffer.readBytes(length: buffer.readableBytes) ?? []
            return .answer(Answer(status: Int(response.status.code), headers: response.headers, body: body))
        } catch is CancellationError {
            throw ZohoBooksError.cancelled
        } catch {
            if Task.isCancelled { throw ZohoBooksError.cancelled }
            return .failure(.noAnswer(Self.reason(error)))
        }
    }

    /// The library's names for what happened; they hold neither addresses with parameters nor headers.
    private static func reason(_ error: any Error) -> String {
        String("\(error)".prefix(120))
    }
}

extension String {
    /// Encoded for a query or a form: also `+`, which a server would read as a space (reference, section 5.3).
    var percentEncoded: String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        // Percent encoding fails for no string of Unicode text.
        return addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }
}
