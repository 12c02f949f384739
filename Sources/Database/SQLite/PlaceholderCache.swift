import Synchronization

/// Writes the `$1` of our SQL as the `?1` of SQLite, once for each text.
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

    private static func translate(_ sql: String) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(sql.utf8.count)
        var isQuoted = false
        let bytes = Array(sql.utf8)
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "'") { isQuoted.toggle() }
            let isPlaceholder =
                byte == UInt8(ascii: "$") && !isQuoted && index + 1 < bytes.count
                && bytes[index + 1] &- UInt8(ascii: "0") < 10
            output.append(isPlaceholder ? UInt8(ascii: "?") : byte)
        }
        return String(decoding: output, as: UTF8.self)
    }
}
