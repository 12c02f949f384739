extension ZohoBooksError {
    /// What a failure means once it is final.
    init(_ failure: CallFailure, path: String, _ configuration: ZohoBooksConfiguration) {
        switch failure {
        case .noAnswer(let reason):
            self.init(
                .network, "Zoho Books cannot be reached (\(reason)).",
                advice: "Check the network, ZOHO_DATA_CENTER and ZOHO_API_URL, then run the command again.")
        case .unreadable(429, _):
            self.init(
                .throttled, status: 429, "Zoho keeps throttling calls to \(path).",
                advice: "Something else is using the organisation's calls; try again later.")
        case .unreadable(let status, let reason):
            let advice =
                (300..<500).contains(status)
                ? "A proxy may have answered in Zoho's place: check the network, ZOHO_DATA_CENTER and ZOHO_API_URL."
                : "It may be under maintenance; run the command again later."
            self.init(
                .invalidAnswer, status: status, "Zoho Books answered \(path) with \(reason) (HTTP \(status)).",
                advice: advice)
        case .refused(let status, let code, let message):
            self.init(refused: status, code, message, path: path, configuration)
        }
    }

    private init(
        refused status: Int, _ code: Int, _ message: String, path: String, _ configuration: ZohoBooksConfiguration
    ) {
        let said = "Zoho says: \(message) (HTTP \(status), code \(code))"
        func failed(_ kind: Kind, _ message: String, _ advice: String) -> Self {
            Self(kind, status: status, code: code, message, advice: advice)
        }
        self =
            switch (status, code) {
            case (_, 14):
                failed(
                    .credentials, "Zoho does not accept its own new access token.",
                    "Check that ZOHO_DATA_CENTER and ZOHO_API_URL belong to ZOHO_CLIENT_ID. \(said)")
            case (401, _), (_, 57):
                failed(
                    .scope, "Zoho does not let this token read \(path).",
                    "Check that the refresh token was created with the scopes that zohosync auth scopes prints, that "
                        + "ZOHO_DATA_CENTER is right, and that its user may see the module. \(said)")
            case (_, 6_041), (_, 4_029):
                failed(
                    .organisation, "This user has no access to organisation \(configuration.organizationID).",
                    "Copy ZOHO_ORGANIZATION_ID from Zoho Books: Settings, Organisation Profile.")
            case _ where status == 429 || ThrottleCode(rawValue: code) != nil:
                failed(
                    .throttled, "Zoho keeps throttling calls to \(path).",
                    "Something else is using the organisation's calls; try again later. \(said)")
            case (500..., _), (_, 1_000):
                failed(.server, "Zoho Books keeps failing to answer \(path).", "Run the command again later. \(said)")
            // Some paths of single records are documented nowhere (section 6.1).
            case (404, 5) where message.hasPrefix("Invalid URL") && path.contains("/"):
                failed(
                    .endpointMissing, "This organisation's API has no \(path).",
                    "It does not provide the module's complete records; lists are still read. \(said)")
            // What a disabled module answers is undocumented (section 9, no. 17), so the text counts as well.
            case _ where code == 110_001 || message.contains("not enabled"),
                (404, 5) where message.hasPrefix("Invalid URL"):
                failed(
                    .moduleUnavailable, "This organisation has no \(path).",
                    "Leave it out, or enable the module in Zoho Books. \(said)")
            case _ where status == 404 || code == 1_002 || message.hasSuffix("does not exist."):
                failed(.notFound, "Zoho has no record \(path).", said)
            default:
                failed(.badRequest, "Zoho refused the call to \(path).", said)
            }
    }
}
