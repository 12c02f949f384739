import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Sends requests, and turns everything that can happen to them into a value.
struct Transport: Sendable {
    let http: HTTPClient

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

    func get(_ url: String, headers: HTTPHeaders, within timeout: Duration) async throws -> Result {
        var request = HTTPClientRequest(url: url)
        request.headers = headers
        return try await send(request, within: timeout)
    }

    func post(form: [(String, String)], to url: String, within timeout: Duration) async throws -> Result {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
        let body = form.map { "\($0.percentEncoded)=\($1.percentEncoded)" }.joined(separator: "&")
        request.body = .bytes(ByteBuffer(string: body))
        return try await send(request, within: timeout)
    }

    private func send(_ request: HTTPClientRequest, within timeout: Duration) async throws -> Result {
        // The client's own deadline ends with the answer's head; a body may drip for ever after it. A task that sleeps would
        // stay in memory until then, although it is cancelled with the answer.
        let expiry = http.eventLoopGroup.any().scheduleTask(in: TimeAmount(timeout)) {}
        do {
            let answer = try await withThrowingTaskGroup(of: Answer?.self) { group in
                group.addTask { try await exchange(request, within: timeout) }
                group.addTask {
                    try await expiry.futureResult.get()
                    return nil
                }
                defer {
                    group.cancelAll()
                    expiry.cancel()
                }
                return try await group.next() ?? nil
            }
            return answer.map(Result.answer) ?? .failure(.noAnswer("no complete answer within \(timeout)"))
        } catch is CancellationError {
            throw ZohoBooksError.cancelled
        } catch {
            if Task.isCancelled { throw ZohoBooksError.cancelled }
            return .failure(.noAnswer(Self.reason(error)))
        }
    }

    /// What happened to the connection, in the system's words where it is the system's error: NIO's own say also what it
    /// was doing, which is not always so.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            (error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError).map { reason($0) }
                ?? "\(error)"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        default: "\(error)"
        }
    }

    private func exchange(_ request: HTTPClientRequest, within timeout: Duration) async throws -> Answer {
        let response = try await http.execute(request, timeout: TimeAmount(timeout))
        var body: [UInt8] = []
        // A page is large: growing by doubling, and copying it out of a buffer, costs as much as reading it.
        if let length = response.headers.first(name: "content-length").flatMap({ Int($0) }), length > 0 {
            body.reserveCapacity(min(length, Self.maximumBody))
        }
        for try await chunk in response.body {
            guard body.count + chunk.readableBytes <= Self.maximumBody else {
                throw NIOTooManyBytesError(maxBytes: Self.maximumBody)
            }
            chunk.withUnsafeReadableBytes { body.append(contentsOf: $0) }
        }
        return Answer(status: Int(response.status.code), headers: response.headers, body: body)
    }
}

extension String {
    /// Encoded for a query or a form: also `+`, which a server would read as a space (reference, section 5.3).
    var percentEncoded: String {
        var text = ""
        text.reserveCapacity(utf8.count)
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                text += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return text
    }
}
