extension EntityMapping {
    /// The id of the record that a body is about which cannot be read: the first member that is called as the id is.
    ///
    /// It is good enough to read that record again, and for nothing else.
    package func idNamed(in body: [UInt8]) -> String? {
        for key in entity.idKeys {
            let name = Array("\"\(key)\"".utf8)
            guard let start = body.firstRange(of: name)?.upperBound else { continue }
            var rest = body[start...].drop(while: Self.isSpace)
            guard rest.popFirst() == UInt8(ascii: ":") else { continue }
            rest = rest.drop(while: Self.isSpace)
            if rest.first == UInt8(ascii: "\"") { rest = rest.dropFirst() }
            let id = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            // An id at which the body ends may be cut off itself.
            guard !id.isEmpty, id.count <= 32, id.endIndex < body.endIndex else { continue }
            return String(decoding: id, as: UTF8.self)
        }
        return nil
    }

    private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}
