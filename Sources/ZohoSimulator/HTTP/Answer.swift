/// An answer before it becomes an HTTP response.
struct Answer: Sendable {
    var status = 200
    var contentType = "application/json;charset=UTF-8"
    var body: [UInt8]

    /// An answer with a code and a message, which is an error unless both say otherwise (section 3.1).
    static func error(_ status: Int, _ code: Int, _ message: String) -> Answer {
        var writer = JSONWriter(capacity: 256)
        writer.raw(#"{"code":"#)
        writer.int(code)
        writer.raw(#","message":"#)
        writer.string(message)
        writer.raw("}")
        return Answer(status: status, body: writer.bytes)
    }

    static func invalid(_ parameter: String) -> Answer { error(400, 2, "Invalid value passed for \(parameter)") }

    static let unknownPath = error(
        404, 5, "Invalid URL Passed. We couldnt find any resource for the given ID. Please verify the ID and try again."
    )

    static func missing(_ noun: String) -> Answer { error(404, 1002, "\(noun) does not exist.") }

    /// A success with one member, which `write` writes.
    static func success(
        _ key: String, capacity: Int = 8_192, _ write: (inout JSONWriter) -> Void
    ) -> Answer {
        var writer = JSONWriter(capacity: capacity)
        writer.raw(#"{"code":0,"message":"success",""#)
        writer.text(key)
        writer.raw(#"":"#)
        write(&writer)
        writer.raw("}")
        return Answer(body: writer.bytes)
    }
}
