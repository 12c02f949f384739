import CLibPQ

extension PostgresSession {
    /// Runs a `COPY … FROM STDIN` in text format and feeds it the rows that `fill` writes.
    ///
    /// Memory stays at one buffer of about 64 KiB whatever the number of rows.
    ///
    ///     try session.copyIn("COPY prices (item, price) FROM STDIN") { rows in
    ///         rows.append(text: "Bolt")
    ///         rows.append(text: "0.10")
    ///         try rows.endRow()
    ///     }
    ///
    /// - Returns: the number of rows that the server took.
    /// - Throws: what `fill` throws, after which the server has taken no row; the server's own error on a bad row.
    @discardableResult
    package func copyIn(_ sql: String, _ fill: (inout CopyBuffer) throws -> Void) throws -> Int {
        // `statement` throws typed errors only, and `fill` may throw any.
        var foreign: (any Error)?
        let rows = try statement { link throws(PostgresError) in
            try startCopy(sql, link)
            var buffer = CopyBuffer(link: link)
            do {
                try fill(&buffer)
                try buffer.flush()
            } catch {
                foreign = error
            }
            return try endCopy(link, isAbandoned: foreign != nil)
        }
        if let foreign { throw foreign }
        return rows
    }

    private func startCopy(_ sql: String, _ link: OpaquePointer) throws(PostgresError) {
        guard PQsendQuery(link, sql) == 1 else { throw PostgresError(result: nil, link: link) }
        let handle = PQgetResult(link)
        guard PQresultStatus(handle) == PGRES_COPY_IN else {
            _ = try drain(link, from: handle)
            throw PostgresError(.usage, "copyIn takes a COPY … FROM STDIN statement and nothing else")
        }
        PQclear(handle)
    }

    private func endCopy(_ link: OpaquePointer, isAbandoned: Bool) throws(PostgresError) -> Int {
        guard PQputCopyEnd(link, isAbandoned ? "the sender gave up" : nil) == 1 else {
            throw PostgresError(result: nil, link: link)
        }
        do {
            return try drain(link)?.affectedRows ?? 0
        } catch {
            // The server then only repeats that the sender gave up, unless it has gone.
            if isAbandoned, !error.isConnectionLost { return 0 }
            throw error
        }
    }
}
