import CLibPQ

extension PostgresSession {
    /// A statement and its values, to be queued.
    package typealias QueuedStatement = (sql: String, parameters: [PostgresValue])

    /// How many statements go out before their answers are read: enough to hide the round trip, few enough that the
    /// answers, which libpq keeps meanwhile, stay small.
    private static let pipelineDepth = 200

    /// Runs statements without waiting for each one's answer.
    ///
    /// Outside a transaction every 200 of them are a transaction of their own; run it inside `transaction` to have all
    /// or none. A statement must not depend on a table that an earlier one of the same call creates.
    ///
    /// - Returns: the number of affected rows of each.
    /// - Throws: the error of the first that failed; those after it did not run.
    @discardableResult
    package func pipeline(_ queue: [QueuedStatement]) throws(PostgresError) -> [Int] {
        var affected: [Int] = []
        affected.reserveCapacity(queue.count)
        for start in stride(from: 0, to: queue.count, by: Self.pipelineDepth) {
            let part = queue[start..<min(start + Self.pipelineDepth, queue.count)]
            affected += try statement { link throws(PostgresError) in
                try retryingStale(part.lazy.map(\.sql)) { () throws(PostgresError) in try send(part, link) }
            }
        }
        return affected
    }

    private func send(_ part: ArraySlice<QueuedStatement>, _ link: OpaquePointer) throws(PostgresError) -> [Int] {
        // Preparing waits for its answer, which a pipeline does not allow.
        var names: [String] = []
        for queued in part {
            try ParameterBuffer.validate(queued.parameters)
            names.append(try prepare(queued.sql, on: link))
        }
        guard PQenterPipelineMode(link) == 1 else { throw PostgresError(result: nil, link: link) }
        defer { _ = PQexitPipelineMode(link) }
        for (queued, name) in zip(part, names) {
            parameters.bind(queued.parameters)
            let isSent = parameters.withPointers { count, values, lengths, formats in
                PQsendQueryPrepared(link, name, count, values, lengths, formats, 0) == 1
            }
            guard isSent else { throw PostgresError(result: nil, link: link) }
        }
        guard PQpipelineSync(link) == 1 else { throw PostgresError(result: nil, link: link) }
        let answers = drainPipeline(link)
        if let failure = answers.failure { throw failure }
        return answers.affected
    }

    /// Reads up to the sync, or up to the end of a connection that will never send it.
    private func drainPipeline(_ link: OpaquePointer) -> (affected: [Int], failure: PostgresError?) {
        var affected: [Int] = []
        var failure: PostgresError?
        while true {
            guard let handle = PQgetResult(link) else {
                // Each statement's results end with NULL; when the backend is gone NULL comes for ever.
                guard PQstatus(link) == CONNECTION_BAD else { continue }
                return (affected, failure ?? PostgresError(result: nil, link: link))
            }
            defer { PQclear(handle) }
            switch PQresultStatus(handle) {
            case PGRES_PIPELINE_SYNC: return (affected, failure)
            case PGRES_PIPELINE_ABORTED: break
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                affected.append(PostgresResult.affectedRows(of: handle))
            default: failure = failure ?? PostgresError(result: handle, link: link)
            }
        }
    }
}
