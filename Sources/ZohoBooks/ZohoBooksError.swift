public import Foundation

/// Why a call has failed for good, in a sentence that says what to do.
///
/// Holds no secret and no token.
public struct ZohoBooksError: Error, Sendable, Hashable {
    /// What the caller can tell apart.
    public enum Kind: Sendable, Hashable {
        /// The accounts server does not accept the client id, the secret or the refresh token.
        case credentials
        /// Zoho's code 57: the token lacks the scope, belongs to another data centre, or its user may not.
        case scope
        /// The organisation is not one of this user's (code 6041).
        case organisation
        /// No more calls until then: the day's are used up.
        case quota(until: Date)
        /// Zoho, or what answers in its place, asks not to be called until then, which is too long to wait out.
        case unavailable(until: Date)
        /// The budget allows no call for a single record until then, and nobody waits for it.
        case pace(until: Date)
        /// The piece of work has made as many calls as it may.
        case allowance
        /// The accounts server refuses more tokens for now (ten in ten minutes).
        case tokenThrottle(until: Date)
        /// Zoho throttles the call however long it waits in between.
        case throttled
        /// The organisation has not switched the module on.
        case moduleUnavailable
        /// The module is there, but the API gives the organisation none of its records one by one.
        case endpointMissing
        /// The record does not exist.
        case notFound
        /// Zoho refuses the call as it stands.
        case badRequest
        /// Zoho failed, again and again.
        case server
        /// Zoho could not be reached, again and again.
        case network
        /// The answer was not what the API promises, again and again.
        case invalidAnswer
        /// The task was cancelled.
        case cancelled
    }

    /// What the caller can tell apart.
    public let kind: Kind
    /// The HTTP status, where there was an answer.
    public let status: Int?
    /// Zoho's own code, where the answer had one.
    public let code: Int?
    /// What happened.
    public let message: String
    /// What to do about it.
    public let advice: String

    init(_ kind: Kind, status: Int? = nil, code: Int? = nil, _ message: String, advice: String = "") {
        self.kind = kind
        self.status = status
        self.code = code
        self.message = message
        self.advice = advice
    }

    /// The same where the module is known to give other records: then it is this one that Zoho refuses.
    package var concerningOneRecord: ZohoBooksError {
        ZohoBooksError(
            .badRequest, status: status, code: code, message,
            advice: "It gives others of the module; this one is asked for again.")
    }

    /// Whether the configuration has to be corrected before anything can work.
    public var isConfiguration: Bool {
        switch kind {
        case .credentials, .scope, .organisation: true
        default: false
        }
    }

    /// Whether every other call would fail for the same reason.
    public var concernsEveryCall: Bool {
        switch kind {
        case .credentials, .organisation, .quota, .unavailable, .pace, .tokenThrottle, .throttled, .network, .cancelled:
            true
        case .allowance, .scope, .moduleUnavailable, .endpointMissing, .notFound, .badRequest, .server, .invalidAnswer:
            false
        }
    }
}

extension ZohoBooksError: CustomStringConvertible {
    /// What went wrong and what to do, without any secret.
    public var description: String { advice.isEmpty ? message : "\(message) \(advice)" }
}

extension ZohoBooksError {
    static let cancelled = ZohoBooksError(.cancelled, "The call was cancelled.")

    static func quota(until: Date) -> ZohoBooksError {
        ZohoBooksError(
            .quota(until: until), "Zoho allows no more calls until \(until.formatted(.iso8601)).",
            advice: "What was read is kept; run the sync again after that.")
    }

    static func unavailable(until: Date) -> ZohoBooksError {
        ZohoBooksError(
            .unavailable(until: until), "Zoho Books asked us to wait until \(until.formatted(.iso8601)).",
            advice:
                "It may be under maintenance, or something else is using the organisation's calls. What was read is kept; "
                + "run the command again after that.")
    }

    static func pace(until: Date) -> ZohoBooksError {
        ZohoBooksError(
            .pace(until: until), "The minute's calls for single records are used up until \(until.formatted(.iso8601))."
        )
    }

    static func allowance(_ limit: Int) -> ZohoBooksError {
        ZohoBooksError(.allowance, "The \(limit) calls that were allowed for this are used up.")
    }

    /// The accounts server's refusal, cleaned of secrets (reference, section 1.5).
    static func token(_ error: String) -> ZohoBooksError {
        switch error {
        case "invalid_client":
            ZohoBooksError(
                .credentials, "Zoho does not know the client id.",
                advice: "Check ZOHO_CLIENT_ID, and that ZOHO_DATA_CENTER is the one where the client was created.")
        case "invalid_client_secret":
            ZohoBooksError(
                .credentials, "Zoho does not accept the client secret.",
                advice: "Copy ZOHO_CLIENT_SECRET again from Zoho's API console.")
        case "invalid_code":
            ZohoBooksError(
                .credentials, "Zoho does not accept the refresh token.",
                advice: "It may have been revoked or belong to another data centre: check ZOHO_REFRESH_TOKEN and "
                    + "ZOHO_DATA_CENTER, or create a new one in Zoho's API console.")
        default:
            ZohoBooksError(
                .credentials, "Zoho's accounts server refused to issue a token: \(error).",
                advice: "Check ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, ZOHO_REFRESH_TOKEN and ZOHO_DATA_CENTER.")
        }
    }
}
