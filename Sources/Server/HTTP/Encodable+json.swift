import Foundation
import Hummingbird
import NIOCore

extension Encodable {
    /// The value as JSON with `snake_case` keys in a fixed order.
    package var json: String { json(indented: false) }

    /// The value as JSON with `snake_case` keys in a fixed order.
    package func json(indented: Bool) -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if indented { encoder.outputFormatting.insert(.prettyPrinted) }
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

extension Response {
    /// An answer in JSON.
    static func json(_ status: HTTPResponse.Status = .ok, _ document: some Encodable) -> Response {
        json(status, text: document.json)
    }

    /// An answer whose JSON is written already.
    static func json(_ status: HTTPResponse.Status = .ok, text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
