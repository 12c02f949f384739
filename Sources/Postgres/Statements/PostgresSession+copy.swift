import CLibPQ

extension PostgresSession {
    /// Runs a `COPY … FROM STDIN (FORMAT binary)` and feeds it the rows that `fill` writes.
    ///
    /// Memory stays at one buffer of about 64 KiB whatever the number of rows.
    ///
    ///     try session.copyIn("prices", columns: ["item", "price"]) { rows, types in
    ///         try rows.beginRow(columns: 2)
    ///         rows.append(text: "Bolt")
    ///         try rows.append(numeric: "0.10")
    ///     }
    ///
    /// - Parameter fill: is given the identifiers of the columns' types too: the server converts nothing.
    /// - Returns: the number of rows that the server took.
    /// - Throws: what `fill` throws, after which the server has taken no row; the server's own error on a bad row.
    @discardableResult
    package func copyIn(
        _ table: String, columns: [String], _ fill: (inout CopyBuffer, _ types: [UInt32]) throws -> Void
    ) throws -> Int {
        // `statement` throws typed errors only, and `fill` may throw any.
        var foreign: (any Error)?
        try flush()
        let rows = try statement { link throws(PostgresError) in
            let types = try startCopy(table, columns.joined(separator: ", "), link)
            var buffer = CopyBuffer(link: link)
            do {
                try fill(&buffer, types)
                try buffer.end()
            } catch {
                foreign = error
            }
            return try endCopy(link, isAbandoned: foreign != nil)
        }
        if let foreign { throw foreign }
        return rows
    }

    /// Sends both statements at once: the columns' types cost no round trip, and cannot change before the COPY.
    private func startCopy(
        _ table: String, _ columns: String, _ link: OpaquePointer
    ) throws(PostgresError) -> [UInt32] {
        let sql = "SELECT \(columns) FROM \(table) LIMIT 0; COPY \(table) (\(columns)) FROM STDIN (FORMAT binary)"
        guard PQsendQuery(link, sql) == 1 else { throw PostgresError(result: nil, link: link) }
        var types: [UInt32] = []
        while let handle = PQgetResult(link) {
            switch PQresultStatus(handle) {
            case PGRES_TUPLES_OK:
                types = (0..<PQnfields(handle)).map { PQftype(handle, $0) }
                PQclear(handle)
            case PGRES_COPY_IN:
                PQclear(handle)
                return types
            default:
                _ = try drain(link, from: handle)
            }
        }
        throw PostgresError(.usage, "The server did not begin to copy")
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
