import CZlib
import Catalog

/// Unpacks compressed bodies.
enum Gzip {
    enum Failure: Error, Hashable {
        case damaged
        /// It would be larger than the caller accepts.
        case tooLarge
    }

    /// A body without the compression that its header names.
    static func unpacked(_ bytes: [UInt8], _ encoding: String?) throws(Failure) -> [UInt8] {
        switch encoding?.lowercased() {
        case "gzip", "x-gzip", "deflate": try unpack(bytes, limit: WebhookBody.limit)
        default: bytes
        }
    }

    /// Unpacks gzip or zlib data; several members in sequence are one body (RFC 1952, section 2.2).
    ///
    /// - Parameter limit: bytes that the result may have; unpacking stops there, so that a small body cannot fill the
    ///   memory.
    static func unpack(_ bytes: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        var stream = z_stream()
        guard zohosync_inflate_init(&stream) == Z_OK else { throw .damaged }
        defer { inflateEnd(&stream) }
        var input = bytes
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        let status: Int32 = input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            var status = Z_OK
            while status == Z_OK, output.count <= limit {
                let written = chunk.withUnsafeMutableBufferPointer { chunk in
                    stream.next_out = chunk.baseAddress
                    stream.avail_out = UInt32(chunk.count)
                    status = inflate(&stream, Z_NO_FLUSH)
                    return chunk.count - Int(stream.avail_out)
                }
                output += chunk[..<written]
                // Nothing left to read and the end not reached: the body was cut off.
                if status == Z_OK, written == 0, stream.avail_in == 0 { status = Z_DATA_ERROR }
                if status == Z_STREAM_END, hasAnotherMember(stream) { status = inflateReset(&stream) }
            }
            return status
        }
        guard output.count <= limit else { throw .tooLarge }
        guard status == Z_STREAM_END else { throw .damaged }
        return output
    }

    /// Whether what is left begins as gzip data does; anything else behind the end is padding.
    private static func hasAnotherMember(_ stream: z_stream) -> Bool {
        guard stream.avail_in >= 2, let next = stream.next_in else { return false }
        return next[0] == 0x1F && next[1] == 0x8B
    }
}
