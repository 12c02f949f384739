import Synchronization

/// Writes the `$1` of our SQL as the `?1` of SQLite, once for each text.
///
/// SQLite takes `$1` for a name, and numbers names in the order in which it meets them.
enum PlaceholderCache {
    private static let cache = Mutex<[String: String]>([:])

    static func sqlite(_ sql: String) -> String {
        cache.withLock { cache in
            if let known = cache[sql] { return known }
            let translated = translate(sql)
            cache[sql] = translated
            return translated
        }
    }

    /// Leaves string literals, quoted names and line comments as they are.
    static func translate(_ sql: String) -> String {
        var bytes = Array(sql.utf8)
        var closing: UInt8?
        for index in bytes.indices {
            let byte = bytes[index]
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0
            if let end = closing {
                if byte == end { closing = nil }
                continue
            }
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\""): closing = byte
            case UInt8(ascii: "-") where next == byte: closing = UInt8(ascii: "\n")
            case UInt8(ascii: "$") where (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(next):
                bytes[index] = UInt8(ascii: "?")
            default: break
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
