import CLibPQ
import Logging

/// Takes the server's notices to the log; libpq would print them to standard error.
///
/// The link holds it unretained, so its owner must keep it for as long as the link is open.
final class NoticeLog {
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    func attach(to link: OpaquePointer) {
        PQsetNoticeReceiver(
            link,
            { context, result in
                guard let context else { return }
                Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue().log(result)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func log(_ result: OpaquePointer?) {
        func field(_ code: Int32) -> String {
            PQresultErrorField(result, code).map { String(cString: $0) } ?? ""
        }
        logger.debug(
            "PostgreSQL notice",
            metadata: [
                "severity": "\(field(zs_diag_severity))", "sqlstate": "\(field(zs_diag_sqlstate))",
                "message": "\(field(zs_diag_message_primary))",
            ])
    }
}
