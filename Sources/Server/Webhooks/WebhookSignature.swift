import Catalog
import Crypto
import Foundation

/// The signature of a webhook (reference, section 8.4): HMAC-SHA256 over all query and form pairs sorted by key, without
/// separators, and the body.
///
/// Sources disagree whether Zoho encodes it in hexadecimal or Base64, so both are accepted.
enum WebhookSignature {
    /// Whether a header carries the right signature, in a time that does not reveal how much of it is right.
    ///
    /// - Parameters:
    ///   - pairs: those of the query and, where the body is a form, of the form.
    ///   - body: as received; empty where it is a form.
    static func isValid(_ header: String, pairs: [FormPairs.Pair], body: [UInt8], secret: String) -> Bool {
        guard let code = bytes(of: header) else { return false }
        var authentication = HMAC<SHA256>(key: SymmetricKey(data: Data(secret.utf8)))
        for pair in pairs.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            authentication.update(data: Data(pair.key.utf8))
            authentication.update(data: Data(pair.value.utf8))
        }
        authentication.update(data: body)
        return isEqual(Data(authentication.finalize()), code)
    }

    /// Compares secrets in a time that depends on the length of the first one alone.
    static func isEqual(_ expected: some Sequence<UInt8>, _ given: some Sequence<UInt8>) -> Bool {
        // Hashes have one length and tell nothing, so that comparing them may.
        SHA256.hash(data: Data(expected)) == SHA256.hash(data: Data(given))
    }

    private static func bytes(of header: String) -> Data? {
        let text = header.trimmingCharacters(in: .whitespaces)
        guard text.utf8.count == 64 else { return Data(base64Encoded: text) }
        var bytes = Data()
        var rest = text.utf8[...]
        while let high = rest.popFirst(), let low = rest.popFirst() {
            guard let byte = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}
