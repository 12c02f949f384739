import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPCompression

/// One change of a record on its way to a receiver.
struct WebhookDelivery: Sendable {
    /// Where the rule sends it.
    let url: String
    let event: WebhookEvent
    let module: WebhookModule
    let id: String
    let lastModifiedTime: String
    let recordStatus: String
    /// The key of the record in the body, and the detail record as it was when it was changed.
    let rootKey: String
    let record: [UInt8]
    /// How often it was tried.
    var attempt = 0
    /// How long to wait before it is tried.
    var delay: Duration = .zero
}

/// A delivery as HTTP carries it (sections 8.2 to 8.4).
struct WebhookRequest {
    let url: String
    private(set) var headers: HTTPHeaders
    private(set) var body: ByteBuffer

    init(_ delivery: WebhookDelivery, _ settings: SimulatorConfiguration.Webhooks, organizationID: String) throws {
        var url = delivery.url
        if settings.namesEvent {
            url += (url.contains("?") ? "&event=" : "?event=") + delivery.event.rawValue
        }
        self.url = url
        let json = Self.json(delivery, settings, organizationID)
        headers = HTTPHeaders(settings.headers.sorted { $0.key < $1.key })
        switch settings.body {
        case .default:
            headers.add(name: "Content-Type", value: "application/json;charset=UTF-8")
            body = ByteBuffer(bytes: json)
        case .raw:
            headers.add(name: "Content-Type", value: "application/json")
            body = ByteBuffer(bytes: json)
        case .form:
            headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded;charset=UTF-8")
            body = ByteBuffer(string: "JSONString=")
            body.writeFormEncoded(json)
        }
        if let secret = settings.secret, let encoding = settings.signature {
            var pairs = url.firstIndex(of: "?").map { QueryString(url[url.index(after: $0)...]).parameters } ?? [:]
            let isForm = settings.body == .form
            if isForm { pairs["JSONString"] = String(decoding: json, as: UTF8.self) }
            let signature = WebhookSignature.sign(
                pairs: pairs.map { ($0.key, $0.value) }, body: isForm ? [] : json, secret: secret, encoding)
            headers.add(name: WebhookSignature.header, value: signature)
        }
        if settings.gzip { try compress() }
    }

    private static func json(
        _ delivery: WebhookDelivery, _ settings: SimulatorConfiguration.Webhooks, _ organizationID: String
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: delivery.record.count * 3 / 2 + 128)
        writer.raw("{\"")
        writer.text(delivery.module == .customerpayments ? settings.paymentKey : delivery.rootKey)
        writer.raw("\":")
        FormattedTwins.write(delivery.record, to: &writer)
        switch settings.organizationID {
        case .number:
            writer.raw(#","organization_id":"#)
            writer.text(organizationID)
        case .string:
            writer.raw(#","organization_id":"#)
            writer.string(organizationID)
        case nil: break
        }
        writer.raw("}")
        return writer.bytes
    }

    /// Compresses the body by way of NIO's channel handler, which is the only face of its zlib.
    private mutating func compress() throws {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(NIOHTTPRequestCompressor(encoding: .gzip))
        channel.write(HTTPClientRequestPart.head(.init(version: .http1_1, method: .POST, uri: "/")), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil)
        channel.write(HTTPClientRequestPart.end(nil), promise: nil)
        channel.flush()
        while let part = try channel.readOutbound(as: HTTPClientRequestPart.self) {
            if case .body(.byteBuffer(let compressed)) = part { body = compressed }
        }
        _ = try channel.finish(acceptAlreadyClosed: true)
        headers.add(name: "Content-Encoding", value: "gzip")
    }
}

extension ByteBuffer {
    /// Writes bytes as a form has them: a space is a plus, and all but letters, digits and `*-._` is escaped.
    fileprivate mutating func writeFormEncoded(_ bytes: [UInt8]) {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2A, 0x2D, 0x2E, 0x5F: encoded.append(byte)
            case 0x20: encoded.append(0x2B)
            default:
                encoded.append(0x25)
                for digit in [byte >> 4, byte & 15] { encoded.append(digit < 10 ? 0x30 + digit : 0x37 + digit) }
            }
        }
        writeBytes(encoded)
    }
}
