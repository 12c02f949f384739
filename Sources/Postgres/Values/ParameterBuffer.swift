/// Lays a statement's values out as libpq wants them: NUL-terminated text or counted bytes, one beside the other.
///
/// It is kept from statement to statement, so that binding allocates only while it grows.
struct ParameterBuffer {
    private var bytes: [UInt8] = []
    private var offsets: [Int?] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []

    private static let keptCapacity = 1 << 20

    /// Checks what libpq does not: it would cut a text off at a NUL byte.
    ///
    /// - Throws: `usage`, naming the parameter but not its value.
    static func validate(_ values: [PostgresValue]) throws(PostgresError) {
        guard values.count <= UInt16.max else {
            throw PostgresError(.usage, "A statement takes at most \(UInt16.max) parameters, not \(values.count)")
        }
        for (index, value) in values.enumerated() where value.holdsNUL {
            throw PostgresError(
                .usage, "Parameter $\(index + 1) holds a NUL character, which PostgreSQL cannot store",
                sqlState: "22021")
        }
    }

    /// Replaces what was bound before.
    mutating func bind(_ values: [PostgresValue]) {
        if bytes.capacity > Self.keptCapacity { bytes = [] }
        bytes.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        formats.removeAll(keepingCapacity: true)
        for value in values {
            let start = bytes.count
            var isBinary = false
            var isNull = false
            switch value {
            case .null: isNull = true
            case .text(let text): bytes.append(contentsOf: text.utf8)
            case .utf8(let text): bytes.append(contentsOf: text)
            case .integer(let integer): bytes.append(contentsOf: String(integer).utf8)
            case .boolean(let boolean): bytes.append(UInt8(ascii: boolean ? "t" : "f"))
            case .textArray(let elements): PostgresValue.appendArrayLiteral(of: elements, to: &bytes)
            case .bytes(let raw):
                bytes.append(contentsOf: raw)
                isBinary = true
            }
            offsets.append(isNull ? nil : start)
            lengths.append(Int32(truncatingIfNeeded: bytes.count - start))
            formats.append(isBinary ? 1 : 0)
            bytes.append(0)
        }
    }

    /// Gives count, values, lengths and formats, which are valid only inside `body`.
    func withPointers<R>(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> R
    ) -> R {
        bytes.withUnsafeBytes { raw in
            let base = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
            let pointers = offsets.map { offset in offset.flatMap { base?.advanced(by: $0) } }
            return pointers.withUnsafeBufferPointer { values in
                lengths.withUnsafeBufferPointer { lengths in
                    formats.withUnsafeBufferPointer { formats in
                        body(Int32(values.count), values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }
}
