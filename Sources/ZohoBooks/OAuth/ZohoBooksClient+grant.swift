import Foundation

extension ZohoBooksClient {
    /// Exchanges the grant code of a self client for a refresh token (reference, sections 1.3 and 1.4).
    ///
    /// A grant code works once and lapses within minutes, so this is never tried again.
    ///
    /// - Returns: the refresh token, which does not lapse, and an access token with which this client can go on.
    /// - Throws: ``ZohoBooksError`` of the kind `credentials` where the code or the client is not accepted.
    public func refreshToken(forGrant code: Secret) async throws -> Secret {
        let form = [
            ("grant_type", "authorization_code"), ("client_id", configuration.clientID),
            ("client_secret", configuration.clientSecret.value), ("code", code.value),
        ]
        let url = "\(configuration.accounts)/oauth/v2/token"
        guard
            case .answer(let answer) = try await transport.post(form: form, to: url, within: configuration.callTimeout)
        else {
            throw ZohoBooksError(
                .network, "Zoho's accounts server at \(configuration.accounts) cannot be reached.",
                advice: "Check the network, ZOHO_DATA_CENTER and ZOHO_ACCOUNTS_URL.")
        }
        struct Body: Decodable {
            let refresh_token: String?
        }
        switch TokenAnswer(status: answer.status, body: answer.body, now: environment.now()) {
        case .token:
            let body = try? JSONDecoder().decode(Body.self, from: Data(answer.body))
            if let token = body?.refresh_token, !token.isEmpty { return Secret(token) }
            throw ZohoBooksError(
                .credentials, "Zoho gave no refresh token for this code.",
                advice: "Create a new code in the API console under Self Client, and try again.")
        case .refused("invalid_code"):
            throw ZohoBooksError(
                .credentials, "Zoho does not accept the grant code.",
                advice:
                    "It works once, and only for the time chosen: create a new one in the API console, and check that "
                    + "ZOHO_DATA_CENTER is the console's data centre.")
        case .refused(let error): throw ZohoBooksError.token(error)
        case .throttled:
            throw ZohoBooksError(
                .tokenThrottle(until: environment.now().addingTimeInterval(600)),
                "Zoho issues no more tokens for now (ten in ten minutes).", advice: "Try again in ten minutes.")
        case .failed, .foreign:
            throw ZohoBooksError(
                .network, "Zoho's accounts server at \(configuration.accounts) gave no usable answer.",
                advice: "Check ZOHO_DATA_CENTER and ZOHO_ACCOUNTS_URL, and try again with a new code.")
        }
    }

    /// The organisations that the token's user may see: one call (reference, section 6.11).
    public func organizations() async throws -> [Organization] {
        let call = Call(path: "organizations", query: [], key: "organizations", kind: .list, priority: .interactive)
        let (envelope, _) = try await perform(call)
        return try (envelope.records ?? []).map { try JSONDecoder().decode(Organization.self, from: Data($0.bytes)) }
    }
}

/// An organisation of Zoho Books.
public struct Organization: Sendable, Hashable, Decodable {
    /// The id that every call names.
    public let id: String
    /// Its name.
    public let name: String

    private enum CodingKeys: String, CodingKey {
        case id = "organization_id"
        case name
    }
}

extension Secret {
    /// The value, for the one place where it has to be shown to its owner.
    public var revealed: String { value }
}
