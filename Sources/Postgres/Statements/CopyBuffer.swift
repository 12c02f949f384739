import CLibPQ

/// Where the rows of a COPY are written, column by column, in PostgreSQL's text format.
///
/// Append one value for each column in the order of the COPY statement, then call `endRow()`. Text may hold anything
/// but NUL, which the server refuses.
package struct CopyBuffer: ~Copyable {
    private let link: OpaquePointer
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var count = 0
    private var isAtRowStart = true

    private static let flushThreshold = 64 << 10

    init(link: OpaquePointer) {
        self.link = link
        capacity = Self.flushThreshold + (16 << 10)
        base = .allocate(capacity: capacity)
    }

    deinit {
        base.deallocate()
    }

    /// Ends the row, and hands the buffer to libpq when it is full.
    ///
    /// - Throws: when the connection is lost or the task was cancelled. A bad row shows only at the end of the COPY.
    package mutating func endRow() throws(PostgresError) {
        reserve(1)
        put(UInt8(ascii: "\n"))
        isAtRowStart = true
        if count >= Self.flushThreshold { try flush() }
    }

    /// Appends a NULL.
    package mutating func appendNull() {
        beginColumn(reserving: 2)
        put(UInt8(ascii: "\\"))
        put(UInt8(ascii: "N"))
    }

    /// Appends text, or anything that PostgreSQL reads from text.
    package mutating func append(text: String) {
        var text = text
        text.withUTF8 { appendEscaped($0) }
    }

    /// Appends text that is at hand as UTF-8; for a `bytea` see `append(bytea:)`.
    package mutating func append(bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBufferPointer { appendEscaped($0) }
    }

    /// Appends a `bytea`.
    package mutating func append(bytea: [UInt8]) {
        beginColumn(reserving: 3 + 2 * bytea.count)
        for byte in #"\\x"#.utf8 { put(byte) }
        for byte in bytea {
            for nibble in [byte >> 4, byte & 15] {
                put(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
            }
        }
    }

    /// Appends an integer.
    package mutating func append(integer: Int64) {
        beginColumn(reserving: 20)
        var rest = integer.magnitude
        if integer < 0 { put(UInt8(ascii: "-")) }
        let start = count
        repeat {
            put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        var digits = UnsafeMutableBufferPointer(start: base + start, count: count - start)
        digits.reverse()
    }

    /// Appends a boolean.
    package mutating func append(bool: Bool) {
        beginColumn(reserving: 1)
        put(UInt8(ascii: bool ? "t" : "f"))
    }

    /// Appends a value of any kind.
    package mutating func append(_ value: PostgresValue) {
        switch value {
        case .null: appendNull()
        case .text(let text): append(text: text)
        case .utf8(let text): append(bytes: text)
        case .integer(let integer): append(integer: integer)
        case .boolean(let boolean): append(bool: boolean)
        case .bytes(let bytes): append(bytea: bytes)
        case .textArray(let elements):
            var literal: [UInt8] = []
            PostgresValue.appendArrayLiteral(of: elements, to: &literal)
            append(bytes: literal[...])
        }
    }

    /// Hands what is written to libpq.
    mutating func flush() throws(PostgresError) {
        try PostgresSession.checkCancellation()
        defer { count = 0 }
        let isSent = base.withMemoryRebound(to: CChar.self, capacity: count) {
            PQputCopyData(link, $0, Int32(truncatingIfNeeded: count)) == 1
        }
        if !isSent { throw PostgresError(result: nil, link: link) }
    }
}

extension CopyBuffer {
    /// Copies eight bytes at a time for as long as none of them is a control character or a backslash.
    private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
        beginColumn(reserving: 2 * text.count)
        guard var source = text.baseAddress.map({ UnsafeRawPointer($0) }) else { return }
        let end = source + text.count
        var target = UnsafeMutableRawPointer(base + count)
        while source + 8 <= end {
            let word = source.loadUnaligned(as: UInt64.self)
            let suspects = Self.suspects(in: word)
            // All eight are written, but only those before the first suspect count.
            target.storeBytes(of: word, as: UInt64.self)
            guard suspects != 0 else {
                source += 8
                target += 8
                continue
            }
            let clean = UInt64(littleEndian: suspects).trailingZeroBitCount / 8
            source += clean
            target += clean
            target = Self.putEscaped(source.load(as: UInt8.self), at: target)
            source += 1
        }
        while source < end {
            target = Self.putEscaped(source.load(as: UInt8.self), at: target)
            source += 1
        }
        count = target - UnsafeMutableRawPointer(base)
    }

    /// Sets the high bit of each byte below 14 (tab, newline, return and their harmless neighbours) or equal to 92
    /// (backslash); exact up to the first one set, which is all that is asked.
    private static func suspects(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs = ones << 7
        let slashes = word ^ (ones &* 92)
        return ((word &- ones &* 14) & ~word & highs) | ((slashes &- ones) & ~slashes & highs)
    }

    private static func putEscaped(_ byte: UInt8, at target: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let escape: UInt8 =
            switch byte {
            case UInt8(ascii: "\\"): UInt8(ascii: "\\")
            case UInt8(ascii: "\t"): UInt8(ascii: "t")
            case UInt8(ascii: "\n"): UInt8(ascii: "n")
            case UInt8(ascii: "\r"): UInt8(ascii: "r")
            default: 0
            }
        guard escape != 0 else {
            target.storeBytes(of: byte, as: UInt8.self)
            return target + 1
        }
        target.storeBytes(of: UInt8(ascii: "\\"), as: UInt8.self)
        (target + 1).storeBytes(of: escape, as: UInt8.self)
        return target + 2
    }

    /// Room for the separator, `size` bytes and the eight that a whole word may write beyond them.
    private mutating func beginColumn(reserving size: Int) {
        reserve(size + 9)
        if isAtRowStart { isAtRowStart = false } else { put(UInt8(ascii: "\t")) }
    }

    /// Grows for a row that does not fit; everything smaller is flushed before.
    private mutating func reserve(_ size: Int) {
        guard count + size > capacity else { return }
        let larger = max(2 * capacity, count + size)
        let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        copy.update(from: base, count: count)
        base.deallocate()
        base = copy
        capacity = larger
    }

    private mutating func put(_ byte: UInt8) {
        base[count] = byte
        count += 1
    }
}
