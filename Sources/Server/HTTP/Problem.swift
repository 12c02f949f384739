import Catalog
import Database
import Foundation
import HTTPTypes
import Hummingbird
import Mirror
import NIOCore
import Sync
import ZohoBooks

/// What went wrong with a request, as RFC 9457 describes problems.
struct Problem: Error, Sendable {
    /// What is wrong with one field of a request.
    struct Fault: Sendable, Hashable, Encodable {
        let field: String
        let reason: String
    }

    let status: HTTPResponse.Status
    let detail: String
    var headers: HTTPFields = [:]
    var faults: [Fault] = []
    /// The run that stands in the way.
    var run: RunDocument?
    /// The error for the log, which no client is told.
    var cause: (any Error)?

    init(_ status: HTTPResponse.Status, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    private struct Document: Encodable {
        let type = "about:blank"
        let title: String
        let status: Int
        let detail: String
        let errors: [Fault]
        @Nullable var run: RunDocument?
    }

    var response: Response {
        let document = Document(
            title: status.reasonPhrase, status: status.code, detail: detail, errors: faults, run: run)
        var headers = headers
        headers[.contentType] = "application/problem+json"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: document.json)))
    }
}

extension Problem {
    /// What a client is told of an error, without internal details.
    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as HTTPError:
            let isUnknown = error.status == .notFound
            self.init(
                error.status,
                error.body
                    ?? (isUnknown
                        ? "No such path; see /openapi.yaml." : error.status.reasonPhrase))
            headers = error.headers
        case let error as SyncOptionsError: self.init(.unprocessableContent, error.description)
        case SyncRunsError.stopping: self = .unavailable("\(error)")
        case let error as SyncRunsError: self.init(.conflict, error.description)
        case let error as MirrorError:
            switch error {
            case .leased, .changesUnknown: self.init(.conflict, error.description)
            case .changesRemoved: self.init(.gone, error.description)
            default: self = .unavailable("\(error)")
            }
        case let error as InboxFull: self = .unavailable(error.description)
        case is DeadlinePassed: self = .unavailable("The database did not answer in time.")
        case is DatabaseError: self = .unavailable("The database rejected the operation; see the log.")
        case let error as ZohoBooksError: self.init(.badGateway, error.description)
        case is CancellationError: self = .unavailable("The server is stopping.")
        default: self.init(.internalServerError, "Something went wrong; see the log.")
        }
    }

    static func unavailable(_ detail: String, cause: (any Error)? = nil) -> Problem {
        var problem = Problem(.serviceUnavailable, detail)
        problem.cause = cause
        problem.headers[.retryAfter] = "30"
        return problem
    }

    static func unprocessable(_ faults: [Fault]) -> Problem {
        var problem = Problem(.unprocessableContent, "Some fields are invalid; see errors.")
        problem.faults = faults
        return problem
    }

    /// Whether the fault is the server's, so that it is logged.
    var isOurs: Bool { status.code >= 500 }
}
