import Hummingbird
import NIOCore

/// What a scripted server answers.
struct Reply: Sendable {
    enum Body: Sendable {
        case text(String)
        /// More is promised than comes; then the connection ends.
        case cutOff(String, promised: Int)
        /// A byte now and then, without an end.
        case dripping
    }

    var status = 200
    var headers: [String: String] = [:]
    var body: Body

    static func json(_ text: String, status: Int = 200, headers: [String: String] = [:]) -> Reply {
        Reply(status: status, headers: headers, body: .text(text))
    }

    /// Zoho's refusal.
    static func refusal(
        _ status: Int, _ code: Int, _ message: String = "No.", headers: [String: String] = [:]
    ) -> Reply {
        .json(#"{"code":\#(code),"message":"\#(message)"}"#, status: status, headers: headers)
    }

    static func html(_ status: Int, headers: [String: String] = [:]) -> Reply {
        Reply(status: status, headers: headers, body: .text("<html><body>Gateway \(status)</body></html>"))
    }

    /// A list of one item.
    static let items = Reply.json(#"{"code":0,"items":[{"item_id":"1"}],"page_context":{"has_more_page":false}}"#)

    static func token(
        _ token: String, domain: String = "https://www.zohoapis.eu", life: String = "3600"
    ) -> Reply {
        .json(#"{"access_token":"\#(token)","api_domain":"\#(domain)","token_type":"Bearer","expires_in":\#(life)}"#)
    }

    func response(on eventLoop: any EventLoop) -> Response {
        var fields = HTTPFields()
        for (name, value) in headers {
            if let name = HTTPFields.Element.Name(name) { fields[name] = value }
        }
        return Response(status: .init(code: status), headers: fields, body: responseBody(on: eventLoop))
    }

    private func responseBody(on eventLoop: any EventLoop) -> ResponseBody {
        switch body {
        case .text(let text):
            ResponseBody(byteBuffer: ByteBuffer(string: text))
        case .cutOff(let text, let promised):
            ResponseBody(contentLength: promised) { writer in
                try await writer.write(ByteBuffer(string: text))
                throw ConnectionEnded()
            }
        case .dripping:
            ResponseBody { writer in
                while true {
                    try await writer.write(ByteBuffer(string: " "))
                    try await eventLoop.scheduleTask(in: .milliseconds(5)) {}.futureResult.get()
                }
            }
        }
    }

    private struct ConnectionEnded: Error {}
}
