import CLibPQ

extension PostgresSession {
    /// A statement that goes out with the next one.
    struct QueuedStatement {
        let sql: String
        var values: [PostgresValue] = []
        /// Its name where it is prepared.
        var name: String?
    }

    /// Queues a statement whose answer nobody needs, inside `transaction`: it goes out with the next one, which saves
    /// its round trip.
    ///
    /// - Throws: where it cannot be prepared. What else is wrong with it surfaces with the next statement, at the latest
    ///   with the end of the transaction.
    package func enqueue(_ sql: String, _ values: [PostgresValue] = []) throws(PostgresError) {
        try ParameterBuffer.validate(values)
        // Preparing waits for its answer, which may depend on what is queued already.
        if !statements.isPrepared(sql) { try flush() }
        let name = try statement { link throws(PostgresError) in try prepare(sql, on: link) }
        queue.append(QueuedStatement(sql: sql, values: values, name: name))
    }

    /// Runs `body` in a savepoint: what it did stays when it returns and is undone when it throws.
    package func savepoint<T>(_ body: () throws -> T) throws -> T {
        let (start, sent) = (queue.count, exchanges)
        savepoints += 1
        defer { savepoints -= 1 }
        let name = "batch\(savepoints)"
        queue.append(QueuedStatement(sql: "SAVEPOINT \(name)"))
        do {
            let value = try body()
            // What is wrong with a queued statement has to show before the savepoint is gone.
            try flush()
            queue.append(QueuedStatement(sql: "RELEASE SAVEPOINT \(name)"))
            return value
        } catch {
            if exchanges == sent {
                queue.removeSubrange(start...)
            } else {
                queue.removeAll()
                try execute("ROLLBACK TO SAVEPOINT \(name); RELEASE SAVEPOINT \(name)")
            }
            throw error
        }
    }

    /// Sends what is queued and waits for it.
    func flush() throws(PostgresError) {
        guard !queue.isEmpty else { return }
        _ = try statement { link throws(PostgresError) in try sendQueue(link) }
    }

    /// Sends what is queued, and gives the answer of the last.
    ///
    /// - Throws: the error of the first that failed; those after it did not run.
    func sendQueue(_ link: OpaquePointer) throws(PostgresError) -> PostgresResult? {
        let queued = queue
        queue.removeAll()
        exchanges += 1
        guard PQenterPipelineMode(link) == 1 else { throw PostgresError(result: nil, link: link) }
        defer { _ = PQexitPipelineMode(link) }
        for statement in queued {
            parameters.bind(statement.values)
            let isSent = parameters.withPointers { count, values, lengths, formats in
                if let name = statement.name {
                    PQsendQueryPrepared(link, name, count, values, lengths, formats, 0) == 1
                } else {
                    PQsendQueryParams(link, statement.sql, count, nil, values, lengths, formats, 0) == 1
                }
            }
            guard isSent else { throw PostgresError(result: nil, link: link) }
        }
        guard PQpipelineSync(link) == 1 else { throw PostgresError(result: nil, link: link) }
        do {
            return try lastAnswer(link)
        } catch {
            if error.isStaleStatement { for statement in queued { statements.forget(statement.sql) } }
            throw error
        }
    }

    /// Reads up to the sync, or up to the end of a connection that will never send it.
    private func lastAnswer(_ link: OpaquePointer) throws(PostgresError) -> PostgresResult? {
        var last: PostgresResult?
        var failure: PostgresError?
        while true {
            guard let handle = PQgetResult(link) else {
                // Each statement's results end with NULL; when the backend is gone NULL comes for ever.
                guard PQstatus(link) == CONNECTION_BAD else { continue }
                throw failure ?? PostgresError(result: nil, link: link)
            }
            switch PQresultStatus(handle) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                last = PostgresResult(owning: handle)
                continue
            case PGRES_PIPELINE_SYNC:
                PQclear(handle)
                if let failure { throw failure }
                return last
            case PGRES_PIPELINE_ABORTED: break
            default: failure = failure ?? PostgresError(result: handle, link: link)
            }
            PQclear(handle)
        }
    }
}
