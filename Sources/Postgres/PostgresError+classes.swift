extension PostgresError {
    /// The connection is of no use any more; the same work may succeed on a new one.
    package var isConnectionLost: Bool {
        kind == .connect || kind == .connectionLost || sqlState.hasPrefix("08")
            || ["57P01", "57P02", "57P03"].contains(sqlState)
    }

    /// The server answered, and lets nobody in with this user, password and database, or nobody more.
    package var isRefusal: Bool {
        kind == .connect && !sqlState.isEmpty && !sqlState.hasPrefix("08") && !sqlState.hasPrefix("57P")
    }

    /// The statement was cancelled, by its task's cancellation or by `statement_timeout`.
    package var isCancelled: Bool { sqlState == "57014" }

    /// A prepared statement is gone (`DISCARD`, a pooler) or its result columns have changed.
    var isStaleStatement: Bool {
        sqlState == "26000" || (sqlState == "0A000" && routine == "RevalidateCachedQuery")
    }
}
