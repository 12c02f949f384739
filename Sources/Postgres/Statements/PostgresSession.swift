import CLibPQ
import Logging

/// What a body may do with a connection; of use only inside that body.
package final class PostgresSession {
    private let interrupt: StatementInterrupt
    private let notices: NoticeLog
    private var link: OpaquePointer?
    var parameters = ParameterBuffer()
    var statements = StatementCache()
    /// What goes out with the next statement.
    var queue: [QueuedStatement] = []
    /// How often the queue has been sent.
    var exchanges = 0
    /// How many savepoints are open.
    var savepoints = 0

    init(interrupt: StatementInterrupt, logger: Logger) {
        self.interrupt = interrupt
        notices = NoticeLog(logger: logger)
    }

    deinit {
        close()
    }

    func open(_ configuration: PostgresConfiguration) throws(PostgresError) {
        let link = try configuration.open()
        self.link = link
        interrupt.attach(to: link)
        notices.attach(to: link)
        for (name, value) in configuration.settings.sorted(by: { $0.key < $1.key }) {
            // Not as start-up options, which poolers such as PgBouncer reject.
            _ = try query("SELECT set_config($1, $2, false)", [.text(name), .text(value)])
        }
    }

    func close() {
        guard let link else { return }
        interrupt.detach()
        PQfinish(link)
        self.link = nil
    }

    // MARK: Statements

    /// Runs one statement, prepared at its first use and reused by its text.
    ///
    /// Outside a transaction, a statement whose plan has become invalid meanwhile is prepared again; inside one the
    /// error surfaces, and the transaction works when repeated.
    package func query(_ sql: String, _ values: [PostgresValue] = []) throws(PostgresError) -> PostgresResult {
        try ParameterBuffer.validate(values)
        if !queue.isEmpty {
            try enqueue(sql, values)
            return try lastResultOfQueue()
        }
        return try statement { link throws(PostgresError) in
            parameters.bind(values)
            return try retryingStale([sql]) { () throws(PostgresError) in
                let name = try prepare(sql, on: link)
                let isSent = parameters.withPointers { count, values, lengths, formats in
                    PQsendQueryPrepared(link, name, count, values, lengths, formats, 0) == 1
                }
                guard isSent, let result = try drain(link) else { throw PostgresError(result: nil, link: link) }
                return result
            }
        }
    }

    /// Runs a script of any number of statements without parameters, in one implicit transaction if it opens none.
    package func execute(_ script: String) throws(PostgresError) {
        try flush()
        _ = try statement { link throws(PostgresError) in
            guard PQsendQuery(link, script) == 1 else { throw PostgresError(result: nil, link: link) }
            return try drain(link)
        }
    }

    private func lastResultOfQueue() throws(PostgresError) -> PostgresResult {
        try statement { link throws(PostgresError) in
            guard let result = try sendQueue(link) else { throw PostgresError(result: nil, link: link) }
            return result
        }
    }

    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// - Parameter mode: what `BEGIN` takes, such as `ISOLATION LEVEL REPEATABLE READ, READ ONLY`.
    package func transaction<T>(_ mode: String = "", _ body: () throws -> T) throws -> T {
        queue.append(QueuedStatement(sql: "BEGIN \(mode)"))
        do {
            let value = try body()
            // COMMIT of a failed transaction rolls back and reports success.
            queue.append(QueuedStatement(sql: "COMMIT"))
            guard try lastResultOfQueue().commandTag == "COMMIT" else {
                throw PostgresError(.usage, "The transaction had failed before its end and was rolled back")
            }
            return value
        } catch {
            rollBackOpenTransaction()
            throw error
        }
    }

    // MARK: State

    /// Where a connection stands between `BEGIN` and `COMMIT`.
    package enum TransactionStatus: Sendable, Hashable {
        /// In no transaction.
        case idle
        /// In a transaction.
        case open
        /// In a transaction that has failed and can only be rolled back.
        case failed
        /// The connection is lost or closed.
        case unknown
    }

    /// Where the connection stands.
    package var transactionStatus: TransactionStatus {
        switch PQtransactionStatus(link) {
        case PQTRANS_IDLE: queue.isEmpty ? .idle : .open
        case PQTRANS_INTRANS: .open
        case PQTRANS_INERROR: .failed
        default: .unknown
        }
    }

    /// The socket, where nothing is under way.
    var restingSocket: Int32? { isIdle ? PQsocket(link) : nil }

    /// Ready for somebody else's work.
    var isIdle: Bool { transactionStatus == .idle }

    /// Reads what the server has sent unasked; false when it has closed the connection.
    func consumeInput() -> Bool {
        guard let link else { return false }
        // The first call reads a farewell if there is one, only the next sees the end behind it.
        return PQconsumeInput(link) == 1 && PQconsumeInput(link) == 1 && PQstatus(link) == CONNECTION_OK
    }

    // Not interruptible: a cancelled task too must leave its connection clean.
    func rollBackOpenTransaction() {
        queue.removeAll()
        guard let link, transactionStatus == .open || transactionStatus == .failed else { return }
        PQclear(PQexec(link, "ROLLBACK"))
    }

    func deallocateRetiredStatements() {
        guard let link, !statements.retired.isEmpty, isIdle else { return }
        for name in statements.takeRetired() {
            PQclear(PQexec(link, "DEALLOCATE \(name)"))
        }
    }
}

// MARK: - Exchange with libpq

extension PostgresSession {
    /// Runs one exchange with the server that the task's cancellation interrupts.
    func statement<T>(_ body: (OpaquePointer) throws(PostgresError) -> T) throws(PostgresError) -> T {
        guard let link else { throw .closed }
        // First the mark, then the look at the task, as in `PostgresConnection.perform`.
        interrupt.enterStatement()
        defer { interrupt.leaveStatement() }
        try Self.checkCancellation()
        return try body(link)
    }

    static func checkCancellation() throws(PostgresError) {
        if Task.isCancelled { throw PostgresError(.usage, "The task was cancelled", sqlState: "57014") }
    }

    /// The name of the prepared statement; a round trip at its first use.
    func prepare(_ sql: String, on link: OpaquePointer) throws(PostgresError) -> String {
        if let name = statements.name(of: sql) { return name }
        let name = statements.freshName()
        guard PQsendPrepare(link, name, sql, 0, nil) == 1 else { throw PostgresError(result: nil, link: link) }
        _ = try drain(link)
        statements.insert(sql, name: name)
        return name
    }

    /// Prepares again what the server has forgotten, once, and where no open transaction has failed with it.
    func retryingStale<T>(
        _ sqls: some Sequence<String>, _ body: () throws(PostgresError) -> T
    ) throws(PostgresError) -> T {
        let wasIdle = isIdle
        do {
            return try body()
        } catch {
            guard error.isStaleStatement else { throw error }
            for sql in sqls { statements.forget(sql) }
            guard wasIdle else { throw error }
            return try body()
        }
    }

    /// Takes every result up to the end, and gives the last, or throws the first error.
    ///
    /// `PQexec` would give the last error, which for a lost connection is libpq's, without the server's reason.
    func drain(_ link: OpaquePointer, from first: OpaquePointer? = nil) throws(PostgresError) -> PostgresResult? {
        var last: PostgresResult?
        var failure: PostgresError?
        var next = first ?? PQgetResult(link)
        while let handle = next {
            switch PQresultStatus(handle) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                let result = PostgresResult(owning: handle)
                if ["DISCARD ALL", "DEALLOCATE ALL"].contains(result.commandTag) { statements.removeAll() }
                last = result
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                PQclear(handle)
                failure = failure ?? Self.misplacedCopy
                guard abandonCopy(link) else { throw PostgresError(result: nil, link: link) }
            default:
                failure = failure ?? PostgresError(result: handle, link: link)
                PQclear(handle)
            }
            next = PQgetResult(link)
        }
        if let failure { throw failure }
        return last
    }

    private static let misplacedCopy = PostgresError(
        .usage, "A COPY FROM STDIN must go through copyIn, and a COPY TO STDOUT is not supported")

    /// Ends a COPY of either direction; false when the connection is lost.
    private func abandonCopy(_ link: OpaquePointer) -> Bool {
        _ = PQputCopyEnd(link, "not expected here")
        var row: UnsafeMutablePointer<CChar>?
        while PQgetCopyData(link, &row, 0) > 0 { PQfreemem(row) }
        return PQstatus(link) == CONNECTION_OK
    }
}
