import Foundation
import Hummingbird
import NIOCore
import Synchronization

/// Parses requests, applies the rules, and sends the answer, or what a fault makes of it.
struct SimulatorResponder: HTTPResponder {
    typealias Context = SimulatorContext

    let control: SimulatorControl

    func respond(to request: Request, context: SimulatorContext) async throws -> Response {
        let path = request.uri.path
        let query = QueryString(request.uri.query ?? "")
        if path.hasPrefix("/_simulator") {
            let body = try await request.body.collect(upTo: 4 << 20)
            return response(
                control.answerControl(request.method.rawValue, path, query, body: Array(body.readableBytesView)))
        }
        if path.hasPrefix("/oauth/v2/token") {
            let body = try await request.body.collect(upTo: 1 << 20)
            let isForm = request.headers[.contentType]?.hasPrefix("application/x-www-form-urlencoded") == true
            var parameters = query
            if isForm { parameters.add(QueryString(String(buffer: body))) }
            return response(control.answerToken(request.method.rawValue, path, parameters))
        }
        return try await answerAPI(request, path, query, context)
    }

    private func answerAPI(
        _ request: Request, _ path: String, _ query: QueryString, _ context: SimulatorContext
    ) async throws -> Response {
        let base = "/books/v3"
        let relative = path.hasPrefix(base) ? String(path.dropFirst(base.count)) : path
        let ordinal = control.countCall(Self.template(relative))
        let route = path.hasPrefix(base + "/") ? control.route(relative) : nil
        if let refusal = control.refusal(route, query, authorization: request.headers[.authorization]) {
            return apiResponse(refusal)
        }
        guard request.method == .get else {
            return apiResponse(.error(405, 37, "The HTTP method is not allowed for the requested resource"))
        }
        if let refusal = control.enter(isDetail: route?.isDetail == true) { return apiResponse(refusal) }
        defer { control.limits.withLock { $0.leave() } }
        let fault = control.faults.withLock { $0.fault(path: relative, ordinal: ordinal) }
        if let fault { control.count { $0.faults[fault, default: 0] += 1 } }
        if fault == .slowAnswer { try await wait(control.configuration.slowAnswer) }
        let answer = route.map { control.answer($0, query, fault) } ?? .unknownPath
        if case .list(let module, _)? = route, let onPage = control.configuration.onPage {
            await onPage(module, query["page"].flatMap { Int($0) } ?? 1)
        }
        guard let fault else { return try await finish(answer) }
        return try await finish(answer, fault, context)
    }

    private func finish(_ answer: Answer) async throws -> Response {
        try await wait(control.configuration.latency)
        return apiResponse(answer)
    }

    private func finish(_ answer: Answer, _ fault: SimulatorFault, _ context: SimulatorContext) async throws -> Response
    {
        var spoilt = answer
        switch fault {
        case .internalError: spoilt = .error(500, 1000, "Sorry! We've encountered an internal error. Please try again.")
        case .badGateway:
            let page = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
            spoilt = Answer(status: 502, contentType: "text/html", body: Array(page.utf8))
        case .errorInSuccess: spoilt = .error(200, 1000, "Internal Error")
        case .unknownPath: spoilt = .unknownPath
        case .truncatedBody: spoilt.body.removeLast(spoilt.body.count / 2)
        case .emptyBody: spoilt.body = []
        case .slowAnswer, .duplicateRows, .missingModifiedTime: break
        case .connectionLost:
            try await wait(control.configuration.latency)
            let half = ByteBuffer(bytes: spoilt.body.prefix(spoilt.body.count / 2))
            var lost = apiResponse(spoilt)
            lost.body = ResponseBody(contentLength: spoilt.body.count) { writer in
                try await writer.write(half)
                throw ConnectionEnded()
            }
            return lost
        case .connectionReset:
            try await wait(control.configuration.latency)
            await Self.reset(context.channel)
            throw ConnectionEnded()
        }
        return try await finish(spoilt)
    }

    private struct ConnectionEnded: Error {}

    /// Closes a connection so that the peer sees a reset instead of an end.
    private static func reset(_ channel: any Channel) async {
        if let options = channel as? any SocketOptionProvider {
            _ = try? await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try? await channel.close()
    }

    private func wait(_ duration: Duration) async throws {
        if duration > .zero { try await control.configuration.clock.sleep(for: duration) }
    }

    private func response(_ answer: Answer) -> Response {
        Response(
            status: .init(code: answer.status), headers: [.contentType: answer.contentType],
            body: .init(byteBuffer: ByteBuffer(bytes: answer.body)))
    }

    /// An answer of the API tells the quota, where there is one, whatever else it tells (section 2.3).
    private func apiResponse(_ answer: Answer) -> Response {
        var response = response(answer)
        let now = control.seconds
        if let quota = control.limits.withLock({ $0.quota(now: now) }) {
            for (name, value) in zip(Self.quotaFields, [quota.limit, quota.remaining, quota.reset]) {
                response.headers[name] = String(value)
            }
        }
        control.count { $0.answersByStatus[answer.status, default: 0] += 1 }
        return response
    }

    private static let quotaFields = ["limit", "remaining", "reset"].compactMap {
        HTTPFields.Element.Name("x-rate-limit-" + $0)
    }

    /// A path with `{id}` in place of ids.
    private static func template(_ path: String) -> String {
        path.split(separator: "/").map { $0.allSatisfy(\.isNumber) ? "/{id}" : "/" + $0 }.joined()
    }
}
