import HTTPTypes
import Hummingbird
import NIOCore

extension Request {
    /// The body, which must have come whole.
    ///
    /// The framework takes the end of the connection, or of the task, for the end of the body.
    ///
    /// - Parameter limit: bytes.
    /// - Throws: ``Problem`` where it is longer or breaks off; `CancellationError` where the server did not wait for it.
    func wholeBody(upTo limit: Int) async throws -> [UInt8] {
        let bytes: ByteBuffer
        do {
            bytes = try await body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw Problem(.contentTooLarge, "The body has more than \(limit) bytes.")
        } catch  where !Task.isCancelled {
            throw Problem(.badRequest, "The body breaks off.")
        }
        try Task.checkCancellation()
        if let length = headers[.contentLength].flatMap({ Int($0) }), bytes.readableBytes < length {
            throw Problem(.badRequest, "The body breaks off after \(bytes.readableBytes) of \(length) bytes.")
        }
        return Array(bytes.readableBytesView)
    }
}
