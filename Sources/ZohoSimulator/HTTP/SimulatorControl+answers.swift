import Synchronization

/// What the responder asks of the organisation and its rules.
extension SimulatorControl {
    func route(_ relative: String) -> Route? {
        Route(relative, undocumented: configuration.undocumentedEndpoints)
    }

    /// Why a call is refused before it counts, if it is (section 3.2).
    func refusal(_ route: Route?, _ query: QueryString, authorization: String?) -> Answer? {
        if configuration.checksAuthorization {
            let scheme = "Zoho-oauthtoken "
            guard let authorization, authorization.hasPrefix(scheme + "1000.") else {
                return .error(401, 14, "Invalid value passed for authtoken.")
            }
            let now = seconds
            let standing = tokens.withLock { $0.standing(of: String(authorization.dropFirst(scheme.count)), now: now) }
            // An unknown path needs a token, but no scope.
            let isAllowed = route.map { standing.allowsReading($0.scopeGroup) } ?? (standing != .unknown)
            guard isAllowed else { return .error(401, 57, "You are not authorized to perform this operation") }
        }
        guard let route else { return nil }
        let organization = query["organization_id"]
        if !route.isForAnyOrganization, organization != configuration.organizationID,
            configuration.checksAuthorization || organization != nil
        {
            return .error(
                400, 6041,
                "This user is not associated with the CompanyID/CompanyName:\(organization ?? "").")
        }
        if let module = route.module, configuration.disabledModules.contains(module) {
            return .error(400, 110_001, "This module is not enabled for your organization.")
        }
        return nil
    }

    /// Lets a call in, or refuses it with 429 (section 2.2).
    func enter(isDetail: Bool) -> Answer? {
        let now = seconds
        return limits.withLock { limits in
            switch limits.enter(isDetail: isDetail, now: now) {
            case nil: nil
            case .minute:
                .error(
                    429, 44,
                    "For security reasons your account has been blocked as you have exceeded the maximum number of "
                        + "requests per minute that can originate from one account.")
            case .day:
                .error(
                    429, 45,
                    "The API call for this organization has exceeded the maximum call rate limit of "
                        + "\(limits.rules.callsPerDay ?? 0).")
            case .concurrency:
                .error(
                    429, 1070,
                    "You have reached the maximum number of in process requests allowed. "
                        + "Kindly try again after some time.")
            case .details: .error(429, 43, "Too many requests. Kindly try again after some time.")
            }
        }
    }

    func answer(_ route: Route, _ query: QueryString, _ fault: SimulatorFault?) -> Answer {
        RecordAnswers(books: snapshot, configuration: configuration, listings: listings, fault: fault)
            .answer(route, query)
    }

    // MARK: OAuth

    func answerToken(_ method: String, _ path: String, _ parameters: QueryString) -> Answer {
        count { $0.tokenRequests += 1 }
        guard method == "POST" else { return Self.tokenError("invalid_request", status: 400) }
        let now = seconds
        if path.hasSuffix("/revoke") {
            let found = tokens.withLock { $0.revoke(parameters["token"] ?? "") }
            return found ? Answer(body: Array(#"{"status":"success"}"#.utf8)) : Self.tokenError("invalid_token")
        }
        switch tokens.withLock({ $0.answer(parameters.parameters, now: now) }) {
        case .error(let error): return Self.tokenError(error)
        case .throttled:
            let text =
                #"{"error_description":"You have made too many requests continuously. Please try again after some time.","#
                + #""error":"Access Denied","status":"failure"}"#
            return Answer(status: 400, body: Array(text.utf8))
        case .token(let token, let refreshToken, let scopes):
            var writer = JSONWriter(capacity: 512)
            writer.raw(#"{"access_token":"#)
            writer.string(token)
            if let refreshToken {
                writer.raw(#","refresh_token":"#)
                writer.string(refreshToken)
            }
            writer.raw(#","scope":"#)
            writer.string(scopes.joined(separator: " "))
            writer.raw(#","api_domain":"#)
            writer.string(configuration.apiDomain ?? baseURL)
            writer.raw(#","token_type":"Bearer","expires_in":"#)
            writer.int(Int(configuration.oauth.tokenLifetime.components.seconds))
            writer.raw("}")
            return Answer(body: writer.bytes)
        }
    }

    private static func tokenError(_ error: String, status: Int = 200) -> Answer {
        Answer(status: status, body: Array(#"{"error":"\#(error)"}"#.utf8))
    }
}
