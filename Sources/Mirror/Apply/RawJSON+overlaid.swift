import ZohoBooks

extension RawJSON {
    /// This record with what a newer summary says on top of it.
    ///
    /// A member that is a list or an object here stays, because summaries spell those differently (`documents` is `""`
    /// in lists; reference, section 7.5). Where either is not an object the newer one stands.
    func overlaid(with newer: RawJSON) -> RawJSON {
        let merged = try? newer.read { new in
            try self.read { old in
                var values: [String: ArraySlice<UInt8>] = [:]
                try new.members { key, value in
                    values[String(decoding: key, as: UTF8.self)] = value.raw(in: newer).bytes
                }
                var output: [UInt8] = [UInt8(ascii: "{")]
                func append(_ key: String, _ value: ArraySlice<UInt8>) {
                    if output.count > 1 { output.append(UInt8(ascii: ",")) }
                    output.append(UInt8(ascii: "\""))
                    output.append(contentsOf: key.utf8)
                    output.append(contentsOf: [UInt8(ascii: "\""), UInt8(ascii: ":")])
                    output.append(contentsOf: value)
                }
                try old.members { key, value in
                    let name = String(decoding: key, as: UTF8.self)
                    let replacement = values.removeValue(forKey: name)
                    let isStructured = value.kind == .array || value.kind == .object
                    append(name, isStructured ? value.raw(in: self).bytes : replacement ?? value.raw(in: self).bytes)
                }
                for (name, value) in values.sorted(by: { $0.key < $1.key }) { append(name, value) }
                output.append(UInt8(ascii: "}"))
                return RawJSON(output[...])
            }
        }
        return merged ?? newer
    }
}
