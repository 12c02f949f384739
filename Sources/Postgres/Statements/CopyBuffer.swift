import CLibPQ

/// Where the rows of a COPY are written, column by column, in PostgreSQL's binary format.
///
/// Begin each row, then append one value for each column in the order of the COPY statement. The server takes a value's
/// bytes as they are, so it has to be of its column's own type. Text may hold anything but NUL, which the server refuses.
package struct CopyBuffer: ~Copyable {
    private let link: OpaquePointer
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private var count = 0

    private static let flushThreshold = 64 << 10
    /// Microseconds and days from 1970, where other clocks begin, to 2000, where PostgreSQL's does.
    private static let epochMicroseconds: Int64 = 946_684_800_000_000
    private static let epochDays = 10_957

    init(link: OpaquePointer) {
        self.link = link
        capacity = Self.flushThreshold + (16 << 10)
        base = .allocate(byteCount: capacity, alignment: 8)
        for byte in "PGCOPY\n".utf8 { put(byte) }
        for byte: UInt8 in [0xFF, 0x0D, 0x0A, 0x00] { put(byte) }
        // No flags, and no extension of the header.
        put(Int64(0))
    }

    deinit {
        base.deallocate()
    }

    /// Begins a row of so many columns, and hands the buffer to libpq when it is full.
    ///
    /// - Throws: when the connection is lost or the task was cancelled. A bad row shows only at the end of the COPY.
    package mutating func beginRow(columns: Int) throws(PostgresError) {
        if count >= Self.flushThreshold { try flush() }
        reserve(2)
        put(Int16(truncatingIfNeeded: columns))
    }

    /// Appends a NULL of any type.
    package mutating func appendNull() {
        reserve(4)
        put(Int32(-1))
    }

    /// Appends a `text`, `varchar` or `json`.
    package mutating func append(text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Appends a `text`, `varchar` or `json` that is at hand as UTF-8, or a `bytea`.
    package mutating func append(bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends a `jsonb` from its text in UTF-8.
    package mutating func append(jsonb: ArraySlice<UInt8>) {
        jsonb.withUnsafeBytes { append($0, version: 1) }
    }

    /// Appends a `bigint`.
    package mutating func append(integer: Int64) {
        reserve(12)
        put(Int32(8))
        put(integer)
    }

    /// Appends a `boolean`.
    package mutating func append(bool: Bool) {
        reserve(5)
        put(Int32(1))
        put(UInt8(bool ? 1 : 0))
    }

    /// Appends a `timestamptz`.
    ///
    /// - Parameter microseconds: since 1970-01-01T00:00:00Z.
    package mutating func append(instant microseconds: Int64) {
        append(integer: microseconds - Self.epochMicroseconds)
    }

    /// Appends a `date`.
    ///
    /// - Parameter days: since 1970-01-01.
    package mutating func append(date days: Int) {
        reserve(8)
        put(Int32(4))
        put(Int32(truncatingIfNeeded: days - Self.epochDays))
    }

    /// Appends a `numeric` from its digits, such as `-12.50`.
    ///
    /// - Throws: `usage` for anything else.
    package mutating func append(numeric digits: String) throws(PostgresError) {
        var digits = digits
        let isWritten = digits.withUTF8 { append(numeric: $0) }
        guard isWritten else {
            throw PostgresError(.usage, "A value for a numeric column is not a plain decimal", sqlState: "22P02")
        }
    }

    /// Ends the COPY.
    mutating func end() throws(PostgresError) {
        reserve(2)
        put(Int16(-1))
        try flush()
    }

    private mutating func flush() throws(PostgresError) {
        try PostgresSession.checkCancellation()
        let isSent =
            PQputCopyData(link, base.assumingMemoryBound(to: CChar.self), Int32(truncatingIfNeeded: count)) == 1
        count = 0
        if !isSent { throw PostgresError(result: nil, link: link) }
    }

    // MARK: - Bytes

    private mutating func append(_ bytes: UnsafeRawBufferPointer, version: UInt8? = nil) {
        reserve(bytes.count + 5)
        put(Int32(truncatingIfNeeded: bytes.count + (version == nil ? 0 : 1)))
        if let version { put(version) }
        guard let first = bytes.baseAddress else { return }
        (base + count).copyMemory(from: first, byteCount: bytes.count)
        count += bytes.count
    }

    /// Grows for a row that does not fit; everything smaller is flushed before.
    private mutating func reserve(_ size: Int) {
        guard count + size > capacity else { return }
        let larger = max(2 * capacity, count + size)
        let copy = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 8)
        copy.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = copy
        capacity = larger
    }

    private mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
        (base + count).storeBytes(of: number.bigEndian, as: Number.self)
        count += MemoryLayout<Number>.size
    }
}

extension CopyBuffer {
    /// Writes a `numeric`: digits in base 10,000, the power of the first, the sign, and how many decimals are shown.
    ///
    /// - Returns: whether the text was a plain decimal; nothing is written otherwise.
    private mutating func append(numeric text: UnsafeBufferPointer<UInt8>) -> Bool {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = UnsafeBufferPointer(rebasing: text[(isNegative ? 1 : 0)...])
        let point = digits.firstIndex(of: UInt8(ascii: ".")) ?? digits.count
        let decimals = max(0, digits.count - point - 1)
        guard point > 0, digits.count < 10_000, point == digits.count || decimals > 0 else { return false }
        for (index, digit) in digits.enumerated() where index != point {
            guard digit &- UInt8(ascii: "0") < 10 else { return false }
        }

        // Groups of four begin at the point and reach beyond the first and the last digit.
        let whole = (point + 3) / 4
        let groups = whole + (decimals + 3) / 4
        let start = count
        reserve(12 + 2 * groups)
        count += 12
        var weight = whole - 1
        var written = 0
        var significant = 0
        for group in 0..<groups {
            var value = 0
            for place in 0..<4 {
                let position = (group - whole) * 4 + place + point
                let index = group < whole ? position : position + 1
                let isThere = group < whole ? index >= 0 : index < digits.count
                value = value * 10 + (isThere ? Int(digits[index] - UInt8(ascii: "0")) : 0)
            }
            if value == 0, written == 0 {
                weight -= 1
                continue
            }
            put(Int16(truncatingIfNeeded: value))
            written += 1
            if value != 0 { significant = written }
        }
        count = start
        put(Int32(truncatingIfNeeded: 8 + 2 * significant))
        put(Int16(truncatingIfNeeded: significant))
        put(Int16(truncatingIfNeeded: significant == 0 ? 0 : weight))
        put(Int16(isNegative && significant > 0 ? 0x4000 : 0))
        put(Int16(truncatingIfNeeded: decimals))
        count += 2 * significant
        return true
    }
}
