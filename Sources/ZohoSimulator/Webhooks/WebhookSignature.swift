import Crypto
import Foundation

/// The content of `X-Zoho-Webhook-Signature` (section 8.4).
package enum WebhookSignature {
    /// How the signature is written, which is disputed.
    package enum Encoding: String, Sendable, CaseIterable {
        /// Lowercase hexadecimal digits.
        case hex
        /// Base64 with padding.
        case base64
    }

    static let header = "X-Zoho-Webhook-Signature"

    /// Signs a call: HMAC-SHA256 over all pairs sorted by key, without separators, and the body.
    ///
    /// - Parameter pairs: decoded, of the query and, if the body is a form, of the form; `body` is empty then.
    package static func sign(
        pairs: [(key: String, value: String)], body: [UInt8], secret: String, _ encoding: Encoding
    ) -> String {
        var code = HMAC<SHA256>(key: SymmetricKey(data: Data(secret.utf8)))
        for (key, value) in pairs.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            code.update(data: Data(key.utf8))
            code.update(data: Data(value.utf8))
        }
        code.update(data: body)
        let signature = Data(code.finalize())
        switch encoding {
        case .base64: return signature.base64EncodedString()
        case .hex:
            let digits = signature.flatMap { [JSONWriter.hexDigit($0 >> 4), JSONWriter.hexDigit($0 & 15)] }
            return String(decoding: digits, as: UTF8.self)
        }
    }
}
