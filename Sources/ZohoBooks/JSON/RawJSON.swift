/// One JSON value as the exact bytes that carried it, cut out of an answer without being decoded and encoded again.
///
/// Decoding a page of wide records into dictionaries and encoding each record again costs more than everything else a
/// sync does; a slice of the page costs nothing and keeps what Zoho sent, digit by digit.
public struct RawJSON: Sendable, Hashable {
    /// The value's UTF-8 bytes, without surrounding white space.
    public let bytes: ArraySlice<UInt8>

    /// Wraps bytes that hold exactly one JSON value.
    ///
    /// The bytes are checked when they are read, not here.
    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    /// Wraps JSON text.
    public init(_ text: String) {
        self.bytes = ArraySlice(text.utf8)
    }

    /// Reads the value.
    ///
    /// The view and everything derived from it is valid only inside `body`.
    ///
    /// - Throws: ``JSONSyntaxError`` where the bytes are not one JSON value, and what `body` throws.
    package func read<T>(_ body: (JSONView) throws -> T) throws -> T {
        try bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { throw JSONSyntaxError.unexpectedEnd(at: 0) }
            var scanner = JSONScanner(base: base, end: buffer.count)
            let view = try scanner.value()
            try scanner.expectEnd()
            return try body(view)
        }
    }

    /// Reads an object in a single pass: each member as it is found, then `finish` while the values are still valid.
    ///
    /// Members are given before the rest of the object is known to be JSON.
    ///
    /// - Throws: ``JSONSyntaxError`` where the bytes are not one JSON object, and what the closures throw.
    package func readObject<T>(
        member: (UnsafeBufferPointer<UInt8>, JSONView) throws -> Void, finish: () throws -> T
    ) throws -> T {
        try bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { throw JSONSyntaxError.unexpectedEnd(at: 0) }
            var scanner = JSONScanner(base: base, end: buffer.count)
            guard try scanner.nextToken() == UInt8(ascii: "{") else {
                throw JSONSyntaxError.wrongType(expected: "an object")
            }
            try scanner.members(member)
            try scanner.expectEnd()
            return try finish()
        }
    }
}

extension RawJSON {
    /// Reads an object in a single pass, in which also the elements of one of its lists are found.
    ///
    /// - Parameters:
    ///   - list: the list's key.
    ///   - element: is called with each element of the list, before `member` is called with the list.
    func readObject(
        elementsOf list: String, element: (JSONView) throws -> Void,
        member: (UnsafeBufferPointer<UInt8>, JSONView) throws -> Void
    ) throws {
        try bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { throw JSONSyntaxError.unexpectedEnd(at: 0) }
            var scanner = JSONScanner(base: base, end: buffer.count)
            guard try scanner.nextToken() == UInt8(ascii: "{") else {
                throw JSONSyntaxError.wrongType(expected: "an object")
            }
            try scanner.members(elementsOf: list, element: element, member)
            try scanner.expectEnd()
        }
    }
}

extension RawJSON: CustomStringConvertible {
    /// The JSON text; bytes that are not UTF-8 are replaced.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// Where and why bytes are not JSON.
///
/// Offsets count bytes from the beginning of the text that was read.
public enum JSONSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The text ends inside a value: a cut-off body.
    case unexpectedEnd(at: Int)
    /// A byte stands where the grammar does not allow it.
    case unexpectedByte(UInt8, at: Int)
    /// Values are nested more than ``JSONScanner/maximumDepth`` deep.
    case tooDeep(at: Int)
    /// A string holds an invalid escape or bytes that are not UTF-8.
    case invalidString(at: Int)
    /// The value has another type than the one that was asked for.
    case wrongType(expected: String)

    /// What is wrong and where.
    public var description: String {
        switch self {
        case .unexpectedEnd(let offset): "JSON ends in the middle of a value at byte \(offset)"
        case .unexpectedByte(let byte, let offset): "JSON has an unexpected byte \(byte) at \(offset)"
        case .tooDeep(let offset): "JSON is nested too deeply at byte \(offset)"
        case .invalidString(let offset): "JSON has an invalid string at byte \(offset)"
        case .wrongType(let expected): "JSON value is not \(expected)"
        }
    }
}
