/// A growing byte buffer with the few writers that generated records need.
///
/// Records are generated at more than 100,000 rows a second, so nothing here allocates per value: constant fragments
/// are static strings that hold JSON already, numbers are written digit by digit.
struct JSONWriter: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 4096) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    /// What was written so far.
    var bytes: [UInt8] { [UInt8](UnsafeBufferPointer(start: base, count: count)) }

    /// Calls `body` with what was written so far, without a copy.
    borrowing func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    private mutating func reserve(_ extra: Int) {
        guard capacity - count < extra else { return }
        capacity = max(capacity * 2, count + extra)
        let grown = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        grown.update(from: base, count: count)
        base.deallocate()
        base = grown
    }

    // MARK: Fragments

    /// Writes JSON text as it stands.
    mutating func raw(_ text: StaticString) {
        let length = text.utf8CodeUnitCount
        reserve(length)
        (base + count).update(from: text.utf8Start, count: length)
        count += length
    }

    mutating func raw(_ bytes: some Collection<UInt8>) {
        reserve(bytes.count)
        for byte in bytes {
            base[count] = byte
            count += 1
        }
    }

    /// Writes JSON text that is no constant; a name of its own, so that literals are not taken for it.
    mutating func text(_ text: String) { raw(text.utf8) }

    mutating func byte(_ byte: UInt8) {
        reserve(1)
        base[count] = byte
        count += 1
    }

    /// Writes a quoted string with everything escaped that JSON wants escaped.
    mutating func string(_ text: String) {
        byte(UInt8(ascii: "\""))
        for scalar in text.utf8 {
            switch scalar {
            case UInt8(ascii: "\""): raw("\\\"")
            case UInt8(ascii: "\\"): raw("\\\\")
            case 0x0A: raw("\\n")
            case 0..<0x20:
                raw("\\u00")
                byte(Self.hexDigit(scalar >> 4))
                byte(Self.hexDigit(scalar & 15))
            default: byte(scalar)
            }
        }
        byte(UInt8(ascii: "\""))
    }

    /// Separates the elements of a list: writes a comma unless `index` is 0.
    mutating func comma(before index: Int) {
        if index > 0 { byte(UInt8(ascii: ",")) }
    }

    // MARK: Numbers

    mutating func int(_ value: Int) {
        if value < 0 { byte(UInt8(ascii: "-")) }
        digits(UInt64(value.magnitude), width: 1)
    }

    /// Writes `value` in decimal, with zeros in front up to `width` digits.
    mutating func digits(_ value: UInt64, width: Int) {
        var length = 1
        var limit: UInt64 = 10
        while length < 20, value >= limit {
            length += 1
            let (next, overflow) = limit.multipliedReportingOverflow(by: 10)
            limit = overflow ? .max : next
            if overflow, value < limit { break }
        }
        let total = max(length, width)
        reserve(total)
        var rest = value
        var position = count + total - 1
        for _ in 0..<total {
            base[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            position -= 1
        }
        count += total
    }

    /// Writes hundredths the way Zoho writes money: `4200` is `42.0`, `4250` is `42.5`, `4255` is `42.55`.
    mutating func hundredths(_ value: Int) {
        if value < 0 { byte(UInt8(ascii: "-")) }
        let magnitude = UInt64(value.magnitude)
        digits(magnitude / 100, width: 1)
        byte(UInt8(ascii: "."))
        let fraction = magnitude % 100
        if fraction % 10 == 0 { digits(fraction / 10, width: 1) } else { digits(fraction, width: 2) }
    }

    /// Writes a quoted id.
    mutating func id(_ id: UInt64) {
        byte(UInt8(ascii: "\""))
        digits(id, width: 1)
        byte(UInt8(ascii: "\""))
    }

    mutating func bool(_ value: Bool) {
        if value { raw("true") } else { raw("false") }
    }

    static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
